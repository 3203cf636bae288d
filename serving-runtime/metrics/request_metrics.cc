#include "serving-runtime/metrics/request_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

// Seconds; from a small model's microseconds to a large one's seconds, about three a decade.
prometheus::Histogram::BucketBoundaries duration_buckets() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
}

void add_cache(const ResponseCache& cache, prometheus::Registry& registry) {
  const ResponseCache::Counts counts = cache.counts();
  const auto count = [&registry](const char* name, const char* help, uint64_t value) {
    prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({}).Increment(static_cast<double>(value));
  };
  count("tidegate_runtime_response_cache_hits_total", "Runs that the response cache has answered", counts.hits);
  count("tidegate_runtime_response_cache_misses_total", "Runs that it has not", counts.misses);
  prometheus::BuildGauge()
      .Name("tidegate_runtime_response_cache_bytes")
      .Help("What it keeps")
      .Register(registry)
      .Add({})
      .Set(static_cast<double>(counts.bytes));
}

void add_demand(const ModelDemand& demand, prometheus::Registry& registry) {
  const ModelDemand::Counts counts = demand.counts();
  const auto gauge = [&registry](const char* name, const char* help) -> auto& {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  };
  const auto counter = [&registry](const char* name, const char* help) -> auto& {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  };
  auto& bytes = gauge("tidegate_runtime_model_resident_bytes", "Memory that a model takes; 0: it is not loaded");
  auto& loads = counter("tidegate_runtime_model_loads_on_demand_total", "Loads because a request came");
  auto& evictions = counter("tidegate_runtime_model_evictions_total", "Unloads because others needed the memory");
  for (const auto& [name, model] : counts.models) {
    bytes.Add({{"model", name}}).Set(static_cast<double>(model.resident_bytes));
    loads.Add({{"model", name}}).Increment(static_cast<double>(model.loads));
    evictions.Add({{"model", name}}).Increment(static_cast<double>(model.evictions));
  }
  gauge("tidegate_runtime_max_resident_bytes", "What all models together may take")
      .Add({})
      .Set(static_cast<double>(counts.max_bytes));
  gauge("tidegate_runtime_requests_waiting_for_load", "Requests whose model is being loaded")
      .Add({})
      .Set(static_cast<double>(counts.waiting));
}

void add_recorder(const RequestRecorder& recorder, prometheus::Registry& registry) {
  const RequestRecorder::Counts counts = recorder.counts();
  auto& dropped = prometheus::BuildCounter()
                      .Name("tidegate_runtime_request_log_dropped_total")
                      .Help("Records that were chosen and not written: the queue was full, or the target failed")
                      .Register(registry);
  dropped.Add({{"reason", "queue_full"}}).Increment(static_cast<double>(counts.dropped_full));
  dropped.Add({{"reason", "target_failed"}}).Increment(static_cast<double>(counts.dropped_error));
  prometheus::BuildCounter()
      .Name("tidegate_runtime_request_log_records_total")
      .Help("Records that were written")
      .Register(registry)
      .Add({})
      .Increment(static_cast<double>(counts.written));
  prometheus::BuildGauge()
      .Name("tidegate_runtime_request_log_queue_bytes")
      .Help("What waits to be written")
      .Register(registry)
      .Add({})
      .Set(static_cast<double>(counts.queue_bytes));
}

}  // namespace

// The series of one version, found once and then used by every request. They stay when the version is unloaded.
class VersionSeries {
 public:
  struct Families {
    prometheus::Family<prometheus::Counter>& requests;
    prometheus::Family<prometheus::Counter>& model_errors;
    prometheus::Family<prometheus::Histogram>& durations;
  };

  VersionSeries(const Families& families, std::string model, std::string version, TfsModelSeries* tfs)
      : families_(families),
        labels_{{"model", std::move(model)}, {"version", std::move(version)}},
        durations_(families.durations.Add(labels_, duration_buckets())),
        tfs_(tfs) {}

  void count(const RequestMetrics::Answered& request) {
    counter(request.api, request.result.code()).Increment();
    if (is_model_error(request.result)) families_.model_errors.Add(labels_).Increment();
    durations_.Observe(absl::ToDoubleSeconds(request.queued + request.took));
    if (tfs_) tfs_->count(request.api, request.operation, request.result.code(), request.took, request.computed);
  }

 private:
  static constexpr size_t kCodes = 17;  // canonical codes

  // Codes that have not occurred have no series.
  prometheus::Counter& counter(Api api, absl::StatusCode code) {
    const size_t number = static_cast<size_t>(code) < kCodes ? static_cast<size_t>(code) : size_t{2};  // UNKNOWN
    std::atomic<prometheus::Counter*>& known = requests_[static_cast<size_t>(api)][number];
    if (prometheus::Counter* counter = known.load(std::memory_order_acquire)) return *counter;
    auto labels = labels_;
    labels["api"] = name_of(api);
    labels["code"] = absl::StatusCodeToString(static_cast<absl::StatusCode>(number));
    prometheus::Counter& counter = families_.requests.Add(labels);  // the same one for the same labels
    known.store(&counter, std::memory_order_release);
    return counter;
  }

  const Families families_;
  const std::map<std::string, std::string> labels_;
  prometheus::Histogram& durations_;
  TfsModelSeries* const tfs_;  // null: of requests for no model
  std::array<std::array<std::atomic<prometheus::Counter*>, kCodes>, kApis> requests_{};
};

struct RequestMetrics::Series {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter()
          .Name("tidegate_runtime_requests_total")
          .Help("Predictions answered, by model, version, API and result code")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& refusals =
      prometheus::BuildCounter()
          .Name("tidegate_runtime_requests_refused_total")
          .Help("Predictions turned away before their turn: the queue was full, or their model could not be loaded")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& model_errors =
      prometheus::BuildCounter()
          .Name("tidegate_runtime_model_errors_total")
          .Help("Predictions that failed inside the model's own graph")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& durations =
      prometheus::BuildHistogram()
          .Name("tidegate_runtime_request_duration_seconds")
          .Help("From the whole request read to its answer made, the wait for its turn included")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& batches =
      prometheus::BuildHistogram()
          .Name("tidegate_runtime_batch_rows")
          .Help("Rows in each run of a batched model, those that fill it up included")
          .Register(registry);

  VersionSeries::Families families() { return {requests, model_errors, durations}; }

  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<VersionSeries>> versions;  // by model and version
  std::atomic<VersionSeries*> nowhere = nullptr;  // of requests for which no version was found
};

RequestMetrics::RequestMetrics() : series_(std::make_unique<Series>()) {}
RequestMetrics::~RequestMetrics() = default;

void RequestMetrics::count(const Answered& request) { series_of(request.servable).count(request); }

VersionSeries& RequestMetrics::series_of(const Servable* servable) {
  std::atomic<VersionSeries*>& known = servable ? servable->series() : series_->nowhere;
  if (VersionSeries* series = known.load(std::memory_order_acquire)) return *series;
  const std::string model = servable ? servable->name() : "", version = servable ? servable->version_text() : "";
  std::lock_guard lock(series_->mutex);
  std::unique_ptr<VersionSeries>& series = series_->versions[{model, version}];
  if (!series) {
    TfsModelSeries* tfs = servable ? &tfs_.of_model(model, servable->platform()) : nullptr;
    series = std::make_unique<VersionSeries>(series_->families(), model, version, tfs);
  }
  known.store(series.get(), std::memory_order_release);
  return *series;
}

void RequestMetrics::count_refusal(Api api, std::string_view model, const absl::Status& why) {
  series_->refusals
      .Add({{"model", std::string(model)},
            {"api", std::string(name_of(api))},
            {"code", absl::StatusCodeToString(why.code())}})
      .Increment();
}

void RequestMetrics::count_batch(const std::string& model, const BatchRun& run) {
  static const prometheus::Histogram::BucketBoundaries kRows = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  series_->batches.Add({{"model", model}}, kRows).Observe(static_cast<double>(run.rows));
  tfs_.count_batch(run.queued);
}

std::string RequestMetrics::render(const ServableTable& table, const InferenceGate& gate) {
  // Versions come and go: their gauges live only for the answer.
  prometheus::Registry momentary;
  auto& states = prometheus::BuildGauge()
                     .Name("tidegate_runtime_model_version_state")
                     .Help("State of each version: 10 start, 20 loading, 30 available, 40 unloading, 50 end")
                     .Register(momentary);
  for (const auto& [name, model] : table.models) {
    for (const auto& [version, entry] : model.versions) {
      states.Add({{"model", name}, {"version", std::to_string(version)}}).Set(static_cast<double>(entry.state));
    }
  }
  prometheus::BuildGauge()
      .Name("tidegate_runtime_requests_running")
      .Help("Requests that a model works on")
      .Register(momentary)
      .Add({})
      .Set(static_cast<double>(gate.running()));
  prometheus::BuildGauge()
      .Name("tidegate_runtime_requests_queued")
      .Help("Requests that wait for a model")
      .Register(momentary)
      .Add({})
      .Set(static_cast<double>(gate.queued()));
  if (cache_ != nullptr) add_cache(*cache_, momentary);
  if (demand_ != nullptr) add_demand(*demand_, momentary);
  if (recorder_ != nullptr) add_recorder(*recorder_, momentary);
  prometheus::TextSerializer serializer;
  return serializer.Serialize(series_->registry.Collect()) + serializer.Serialize(momentary.Collect());
}

}  // namespace tidegate::serving
