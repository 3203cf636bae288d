#pragma once
// What /metrics tells: requests, errors by code, durations, loaded versions. Prometheus' client library behind it.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <memory>
#include <string>
#include <string_view>

#include "serving-runtime/core/api.h"
#include "serving-runtime/core/batched_model.h"
#include "serving-runtime/core/inference_gate.h"
#include "serving-runtime/core/model_demand.h"
#include "serving-runtime/core/request_record.h"
#include "serving-runtime/core/response_cache.h"
#include "serving-runtime/core/servable_table.h"
#include "serving-runtime/metrics/tfs_metrics.h"

namespace tidegate::serving {

class RequestMetrics {
 public:
  RequestMetrics();
  ~RequestMetrics();

  // One prediction that was answered. Any thread.
  struct Answered {
    Api api;
    Operation operation;
    const Servable* servable;  // null when no version was found: counted under model "", so that strangers cannot make
                               // new series
    const absl::Status& result;
    absl::Duration queued;    // the wait for its turn
    absl::Duration took;      // after that
    absl::Duration computed;  // the model's part of that
  };
  void count(const Answered& request);

  // One that was turned away before its turn. `model` as the table has it, else empty. Any thread.
  void count_refusal(Api api, std::string_view model, const absl::Status& why);

  // Tells of these from now on. Not while others use the metrics.
  void watch(const ResponseCache& cache) { cache_ = &cache; }
  void watch(const ModelDemand& demand) { demand_ = &demand; }
  void watch(const RequestRecorder& recorder) { recorder_ = &recorder; }

  // One run of a batched model. Any thread.
  void count_batch(const std::string& model, const BatchRun& run);

  // Prometheus' text format 0.0.4. Loaded versions and waiting requests are read from the two at this moment.
  std::string render(const ServableTable& table, const InferenceGate& gate);
  // Those that TensorFlow Serving has, under its names and in its form.
  TfsMetrics& tfs() { return tfs_; }

 private:
  struct Series;
  VersionSeries& series_of(const Servable* servable);

  TfsMetrics tfs_;
  std::unique_ptr<Series> series_;
  const ResponseCache* cache_ = nullptr;
  const ModelDemand* demand_ = nullptr;
  const RequestRecorder* recorder_ = nullptr;
};

}  // namespace tidegate::serving
