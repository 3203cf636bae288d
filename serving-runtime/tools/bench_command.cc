#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "serving-runtime/tools/latencies.h"
#include "serving-runtime/tools/loaded.h"
#include "serving-runtime/tools/model_tools.h"
#include "serving-runtime/tools/sample_inputs.h"

namespace tidegate::serving {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;
using Inputs = std::vector<NamedTensor>;

Clock::duration seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

absl::Duration cpu_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
}

struct Result {
  Latencies latencies;
  int64_t failed = 0;
  int64_t missed = 0;  // were due, and not asked in time
  absl::Status first_error;
  absl::Duration took;
  absl::Duration cpu;
};

// Asks for so long, with some threads.
class Load {
 public:
  Load(const Servable& servable, const model::Signature& signature, const std::vector<Sample>& samples,
       const BenchOptions& options)
      : servable_(servable), signature_(signature), samples_(samples), options_(options) {}

  Result run(double for_seconds) {
    std::vector<Result> results(static_cast<size_t>(options_.threads));
    const absl::Duration cpu_before = cpu_time();
    begin_ = Clock::now();
    end_ = begin_ + seconds(for_seconds);
    patience_end_ = end_ + seconds(std::max(1.0, for_seconds));
    next_ = 0;
    std::vector<std::thread> threads;
    for (Result& result : results) threads.emplace_back([this, &result] { ask_until_the_end(result); });
    for (std::thread& thread : threads) thread.join();
    Result whole;
    whole.took = std::max(absl::FromChrono(Clock::now() - begin_), absl::Seconds(for_seconds));
    whole.cpu = cpu_time() - cpu_before;
    for (Result& result : results) {
      whole.latencies.add(result.latencies);
      whole.failed += result.failed;
      if (whole.first_error.ok()) whole.first_error = result.first_error;
    }
    whole.missed = std::max<int64_t>(0, due_within(for_seconds) - whole.latencies.count() - whole.failed);
    return whole;
  }

 private:
  // Of an open loop; of a closed one none is.
  int64_t due_within(double for_seconds) const {
    constexpr double kMost = 1e18;
    return static_cast<int64_t>(std::ceil(std::min(kMost, options_.rate * for_seconds)));
  }

  // An open loop's requests count from the time at which they were due, so that one that is late makes the next ones
  // late, as users would see it. When the model is too slow for the rate, it ends after as long again.
  void ask_until_the_end(Result& result) {
    while (true) {
      const int64_t number = next_.fetch_add(1, std::memory_order_relaxed);
      Clock::time_point due = Clock::now();
      if (options_.rate > 0) {
        due = begin_ + seconds(static_cast<double>(number) / options_.rate);
        if (due >= end_) return;
        std::this_thread::sleep_until(due);
        if (Clock::now() >= patience_end_) return;
      } else if (due >= end_) {
        return;
      }
      ask(number, due, result);
    }
  }

  void ask(int64_t number, Clock::time_point due, Result& result) {
    Inputs inputs = copy_of(samples_[static_cast<size_t>(number) % samples_.size()].inputs);
    if (options_.rate == 0) due = Clock::now();
    const absl::Status asked = servable_.predict(signature_, std::move(inputs), {}).status();
    if (asked.ok()) return result.latencies.add(absl::FromChrono(Clock::now() - due));
    if (++result.failed == 1) result.first_error = asked;
  }

  const Servable& servable_;
  const model::Signature& signature_;
  const std::vector<Sample>& samples_;
  const BenchOptions& options_;
  Clock::time_point begin_, end_, patience_end_;
  std::atomic<int64_t> next_{0};
};

double microseconds(absl::Duration duration) { return absl::ToDoubleMicroseconds(duration); }

Json figures(Result& result) {
  const auto answered = static_cast<double>(result.latencies.count());
  const auto asked = answered + static_cast<double>(result.failed);
  return {{"answered", result.latencies.count()},
          {"failed", result.failed},
          {"missed", result.missed},
          {"seconds", absl::ToDoubleSeconds(result.took)},
          {"requestsPerSecond", answered / absl::ToDoubleSeconds(result.took)},
          {"cpuMicroseconds", asked > 0 ? microseconds(result.cpu) / asked : 0},
          {"p50Microseconds", microseconds(result.latencies.quantile(0.5))},
          {"p95Microseconds", microseconds(result.latencies.quantile(0.95))},
          {"p99Microseconds", microseconds(result.latencies.quantile(0.99))}};
}

std::string as_text(const BenchOptions& options, const Json& figures) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1);
  text << options.folder << ", " << options.threads << (options.threads == 1 ? " thread, " : " threads, ");
  if (options.rate > 0) {
    text << options.rate << " requests a second\n";
  } else {
    text << "one request after the other\n";
  }
  text << "  " << figures["answered"] << " answered, " << figures["failed"] << " failed, "
       << figures["requestsPerSecond"].get<double>() << " a second, " << figures["cpuMicroseconds"].get<double>()
       << " us of CPU a request\n";
  if (figures["missed"] > 0) text << "  too slow for this rate: " << figures["missed"] << " more were due\n";
  text << "  p50 " << figures["p50Microseconds"].get<double>() << " us, p95 "
       << figures["p95Microseconds"].get<double>() << " us, p99 " << figures["p99Microseconds"].get<double>()
       << " us\n";
  return text.str();
}

absl::Status run(const BenchOptions& options, const BackendSource& backends) {
  TG_ASSIGN_OR_RETURN(const auto servable, load_folder(options.folder, backends));
  TG_ASSIGN_OR_RETURN(const model::Signature* signature, find_signature(*servable, options.signature));
  TG_ASSIGN_OR_RETURN(const Samples samples, gather_inputs(options.samples, *signature));
  Load load(*servable, *signature, samples.requests, options);
  load.run(options.warm_up_seconds);
  Result result = load.run(options.seconds);
  const Json measured = figures(result);
  std::cout << (options.json ? measured.dump(2) + "\n" : as_text(options, measured));
  tell_of_failed(samples);
  return base::annotate(result.first_error, base::cat(result.failed, " requests failed, the first with"));
}

}  // namespace

int bench(const BenchOptions& options, const BackendSource& backends) {
  const absl::Status ran = run(options, backends);
  if (ran.ok()) return 0;
  std::cerr << "tidegate-runtime bench: " << ran.message() << '\n';
  return 2;
}

}  // namespace tidegate::serving
