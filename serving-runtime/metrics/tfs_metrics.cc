#include "serving-runtime/metrics/tfs_metrics.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <string_view>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

constexpr std::array<std::string_view, 3> kRestNames = {"predict", "classify", "regress"};
constexpr std::array<std::string_view, 3> kGrpcNames = {"Predict", "Classify", "Regress"};

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string label(std::string_view name, std::string_view value) {
  return base::cat(name, "=\"", escaped(value), "\"");
}

void begin(std::string_view name, std::string_view type, std::string& out) {
  base::append(out, base::cat("# TYPE ", name, " ", type, "\n"));
}

void line(std::string_view name, std::string_view labels, uint64_t value, std::string& out) {
  base::append(out, base::cat(name, "{", labels, "} ", value, "\n"));
}

std::vector<double> exponential(double limit, double factor, int count) {
  std::vector<double> limits;
  for (int i = 0; i < count; ++i, limit *= factor) limits.push_back(limit);
  return limits;
}

}  // namespace

std::span<const double> latency_limits() {
  static const std::vector<double> limits = exponential(10, 1.8, 33);
  return limits;
}

std::span<const double> queuing_limits() {
  static const std::vector<double> limits = exponential(100, 1.2, 52);
  return limits;
}

MicrosecondsHistogram::MicrosecondsHistogram(std::span<const double> limits)
    : limits_(limits), buckets_(limits.size() + 1) {}

void MicrosecondsHistogram::add(absl::Duration duration) {
  const auto microseconds = static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Microseconds(duration)));
  // As TensorFlow has it: a value that is a limit counts in the bucket above.
  const auto above = std::upper_bound(limits_.begin(), limits_.end(), static_cast<double>(microseconds));
  buckets_[static_cast<size_t>(above - limits_.begin())].fetch_add(1, std::memory_order_relaxed);
  microseconds_.fetch_add(microseconds, std::memory_order_relaxed);
}

uint64_t MicrosecondsHistogram::count() const {
  uint64_t count = 0;
  for (const auto& bucket : buckets_) count += bucket.load(std::memory_order_relaxed);
  return count;
}

void MicrosecondsHistogram::render(const std::string& name, const std::string& labels, std::string& out) const {
  uint64_t count = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    count += buckets_[i].load(std::memory_order_relaxed);
    const std::string limit = i < limits_.size() ? absl::StrFormat("%g", limits_[i]) : "+Inf";
    line(name + "_bucket", base::cat(labels, ",", label("le", limit)), count, out);
  }
  line(name + "_sum", labels, microseconds_.load(std::memory_order_relaxed), out);
  line(name + "_count", labels, count, out);
}

void TfsModelSeries::count(Api api, Operation operation, absl::StatusCode result, absl::Duration took,
                           absl::Duration computed) {
  const bool rest = api == Api::kTfsRest;
  if ((!rest && api != Api::kTfsGrpc) || operation == Operation::kMultiInference) return;
  const auto code = static_cast<size_t>(result), which = static_cast<size_t>(operation);
  if (code < requests_.size()) requests_[code].fetch_add(1, std::memory_order_relaxed);
  if (result != absl::StatusCode::kOk) return;
  latency_[rest ? 0 : 1][which].add(took);
  runtime_latency_[which].add(computed);
}

std::string runtime_name(const std::string& platform) { return platform == "tensorflow" ? "TF1" : platform; }

TfsModelSeries& TfsMetrics::of_model(const std::string& name, const std::string& platform) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<TfsModelSeries>& series = models_[name];
  if (!series) series = std::make_unique<TfsModelSeries>(runtime_name(platform));
  return *series;
}

void TfsMetrics::count_load(const std::string& folder, const absl::Status& result, absl::Duration load) {
  std::lock_guard lock(mutex_);
  Loads& loads = loads_[folder];
  ++(result.ok() ? loads.succeeded : loads.failed);
  loads.latency += load;
}

void TfsMetrics::count_warm_up(const std::string& folder, const absl::Status& result, absl::Duration took) {
  std::lock_guard lock(mutex_);
  auto& histogram = warm_ups_[{folder, absl::StatusCodeToString(result.code())}];
  if (!histogram) histogram = std::make_unique<MicrosecondsHistogram>();
  histogram->add(took);
}

void TfsMetrics::count_batch(std::span<const absl::Duration> queued) {
  for (const absl::Duration wait : queued) batch_queuing_.add(wait);
  batch_runs_.fetch_add(1, std::memory_order_relaxed);
}

void TfsMetrics::render_requests(const Series& models, std::string& out) {
  constexpr std::string_view kName = ":tensorflow:serving:request_count";
  begin(kName, "counter", out);
  for (const auto& [name, series] : models) {
    for (size_t code = 0; code < series->requests_.size(); ++code) {
      const uint64_t count = series->requests_[code].load(std::memory_order_relaxed);
      if (count == 0) continue;
      const std::string status = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
      line(kName, base::cat(label("model_name", name), ",", label("status", status)), count, out);
    }
  }
}

void TfsMetrics::render_latencies(const Series& models, std::string& out) {
  const std::string request = ":tensorflow:serving:request_latency", runtime = ":tensorflow:serving:runtime_latency";
  begin(request, "histogram", out);
  for (const auto& [name, series] : models) {
    for (size_t entry = 0; entry < 2; ++entry) {
      for (size_t i = 0; i < kRestNames.size(); ++i) {
        const MicrosecondsHistogram& latency = series->latency_[entry][i];
        if (latency.count() == 0) continue;
        latency.render(
            request,
            base::cat(label("model_name", name), ",", label("API", entry == 0 ? kRestNames[i] : kGrpcNames[i]), ",",
                      label("entrypoint", entry == 0 ? "REST" : "GRPC")),
            out);
      }
    }
  }
  begin(runtime, "histogram", out);
  for (const auto& [name, series] : models) {
    for (size_t i = 0; i < kGrpcNames.size(); ++i) {
      const MicrosecondsHistogram& latency = series->runtime_latency_[i];
      if (latency.count() == 0) continue;
      latency.render(runtime,
                     base::cat(label("model_name", name), ",", label("API", kGrpcNames[i]), ",",
                               label("runtime", series->runtime_)),
                     out);
    }
  }
}

void TfsMetrics::render_batches(std::string& out) const {
  const std::string queuing = ":tensorflow:serving:batching_session:queuing_latency";
  constexpr std::string_view kRuns = ":tensorflow:serving:batching_session:wrapped_run_count";
  begin(queuing, "histogram", out);
  if (batch_queuing_.count() > 0) batch_queuing_.render(queuing, label("thread_pool_name", ""), out);
  begin(kRuns, "counter", out);
  line(kRuns, "", batch_runs_.load(std::memory_order_relaxed), out);
}

void TfsMetrics::render_loads(std::string& out) const {
  constexpr std::string_view kAttempts = ":tensorflow:cc:saved_model:load_attempt_count";
  constexpr std::string_view kLatency = ":tensorflow:cc:saved_model:load_latency";
  const std::string warm_up = ":tensorflow:serving:model_warmup_latency";
  begin(kAttempts, "counter", out);
  for (const auto& [folder, loads] : loads_) {
    const auto attempts = [&, &path = folder](std::string_view status, uint64_t count) {
      if (count > 0) line(kAttempts, base::cat(label("model_path", path), ",", label("status", status)), count, out);
    };
    attempts("success", loads.succeeded);
    attempts("fail", loads.failed);
  }
  begin(kLatency, "counter", out);
  for (const auto& [folder, loads] : loads_) {
    line(kLatency, label("model_path", folder), static_cast<uint64_t>(absl::ToInt64Microseconds(loads.latency)), out);
  }
  begin(warm_up, "histogram", out);
  for (const auto& [key, histogram] : warm_ups_) {
    histogram->render(warm_up, base::cat(label("model_path", key.first), ",", label("status", key.second)), out);
  }
}

std::string TfsMetrics::render() const {
  std::string out;
  std::lock_guard lock(mutex_);
  render_requests(models_, out);
  render_latencies(models_, out);
  render_batches(out);
  render_loads(out);
  return out;
}

}  // namespace tidegate::serving
