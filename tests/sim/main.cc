// sim: runs seeds of the simulation and says what came of them. `make sim` calls it; docs/simulation.md explains it.
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <string>

#include "base/log.h"
#include "base/strings.h"
#include "sim/simulation.h"

namespace tidegate::sim {
namespace {

struct Arguments {
  std::string seeds;
  uint64_t seed = 0;
  double hours = 0;
  bool trace = false;
  bool keep_going = false;
  bool hashes = false;
  std::string log = "none";
};

struct Totals {
  uint64_t run = 0;
  uint64_t failed = 0;
  Outcome sum;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void report_failure(const Outcome& outcome) {
  std::printf("\nseed %llu FAILED\n%s", static_cast<unsigned long long>(outcome.seed), outcome.trace.c_str());
  for (const Violation& violation : outcome.violations) {
    std::printf("  %s: %s\n", violation.invariant.c_str(), violation.what.c_str());
  }
  std::printf("repeat it:  make sim SEED=%llu\n\n", static_cast<unsigned long long>(outcome.seed));
}

void summarize(const Totals& totals, double seconds) {
  const double hours = absl::ToDoubleHours(totals.sum.simulated);
  std::printf(
      "sim: %llu seeds run, %llu failed; %.1f simulated hours in %.1f s, %.0f simulated hours per wall minute\n"
      "     %llu versions promoted, %llu taken back (%llu of them no worse than stable); %llu users' requests, "
      "%llu found nobody\n",
      static_cast<unsigned long long>(totals.run), static_cast<unsigned long long>(totals.failed), hours, seconds,
      hours / seconds * 60, static_cast<unsigned long long>(totals.sum.promoted),
      static_cast<unsigned long long>(totals.sum.rolled_back),
      static_cast<unsigned long long>(totals.sum.false_rollbacks), static_cast<unsigned long long>(totals.sum.requests),
      static_cast<unsigned long long>(totals.sum.unanswered));
}

bool parse_range(const std::string& text, uint64_t& first, uint64_t& last) {
  const size_t dots = text.find("..");
  try {
    first = std::stoull(text.substr(0, dots));
    last = dots == std::string::npos ? first : std::stoull(text.substr(dots + 2));
  } catch (const std::exception&) {
    return false;
  }
  return last >= first;
}

int run(const Arguments& arguments, uint64_t first, uint64_t last) {
  const auto begin = std::chrono::steady_clock::now();
  auto told = begin;
  Totals totals;
  for (uint64_t seed = first; seed <= last; ++seed) {
    if (arguments.hours > 0 && seconds_since(begin) > arguments.hours * 3600) break;
    Outcome outcome = run_seed(seed, {.whole_trace = arguments.trace});
    ++totals.run;
    totals.sum += outcome;
    const bool failed = !outcome.violations.empty();
    if (failed) ++totals.failed;
    if (failed) report_failure(outcome);
    if (!failed && arguments.trace) std::printf("%s", outcome.trace.c_str());
    if (arguments.hashes) std::printf("seed %llu ", static_cast<unsigned long long>(seed));
    if (arguments.seed != 0 || arguments.hashes)
      std::printf("trace hash %016llx\n", static_cast<unsigned long long>(outcome.hash));
    if (failed && !arguments.keep_going) break;
    if (seconds_since(told) > 10) {
      told = std::chrono::steady_clock::now();
      std::printf("sim: seed %llu of %llu, %llu failed, %.0f s\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(last), static_cast<unsigned long long>(totals.failed),
                  seconds_since(begin));
    }
  }
  summarize(totals, seconds_since(begin));
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tidegate::sim

int main(int argc, char** argv) {
  using namespace tidegate;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  sim::Arguments arguments;
  CLI::App app("Runs the operator in a simulated cluster, one seed after the other, and checks what it does.", "sim");
  app.add_option("--seed", arguments.seed, "one seed; prints the hash of its trace");
  app.add_option("--seeds", arguments.seeds, "FIRST..LAST");
  app.add_option("--hours", arguments.hours, "ends after so many hours of real time");
  app.add_flag("--trace", arguments.trace, "prints the whole trace");
  app.add_flag("--keep-going", arguments.keep_going, "goes on after a seed that fails");
  app.add_flag("--hashes", arguments.hashes, "prints the hash of every seed's trace");
  app.add_option("--log", arguments.log, "the operator's own log on stderr: none, error, warning, info or debug")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  uint64_t first = 1;
  uint64_t last = arguments.hours > 0 ? UINT64_MAX - 1 : 100;
  if (arguments.seed != 0) first = last = arguments.seed;
  if (!arguments.seeds.empty() && !sim::parse_range(arguments.seeds, first, last)) {
    std::fprintf(stderr, "sim: --seeds is FIRST..LAST, as in 1..1000\n");
    return 2;
  }
  if (!sim::init_log(arguments.log)) {
    std::fprintf(stderr, "sim: --log is none, error, warning, info or debug\n");
    return 2;
  }
  return sim::run(arguments, first, last);
}
