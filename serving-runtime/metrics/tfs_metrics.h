#pragma once
// TensorFlow Serving's metrics under its own names, in the text that its page /monitoring/prometheus/metrics has, so
// that dashboards and alerts made for it go on working. Units are microseconds, buckets its own
// (tensorflow_serving/servables/tensorflow/util.cc, tensorflow_serving/batching/batching_session.cc,
// tensorflow/cc/saved_model/loader.cc).
//
//   :tensorflow:serving:request_count         model_name, status             Predict, Classify and Regress of its APIs
//   :tensorflow:serving:request_latency       model_name, API, entrypoint    of those, that succeeded
//   :tensorflow:serving:runtime_latency       model_name, API, runtime       the model's part of that
//   :tensorflow:serving:model_warmup_latency  model_path, status
//   :tensorflow:serving:batching_session:queuing_latency    thread_pool_name, always empty; of all models
//   :tensorflow:serving:batching_session:wrapped_run_count  batches that were run, of all models
//   :tensorflow:cc:saved_model:load_latency         model_path               all loads together
//   :tensorflow:cc:saved_model:load_attempt_count   model_path, status
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serving-runtime/core/api.h"

namespace tidegate::serving {

// Of TensorFlow's monitoring::Buckets::Exponential, in microseconds.
std::span<const double> latency_limits();  // 10, 18, 32.4, … about 25 minutes
std::span<const double> queuing_limits();  // 100, 120, 144, … about a second

// TensorFlow's monitoring::Sampler. Any thread.
class MicrosecondsHistogram {
 public:
  // `limits` outlive it; a last bucket has none.
  explicit MicrosecondsHistogram(std::span<const double> limits = latency_limits());

  void add(absl::Duration duration);
  // Lines of Prometheus' text; `labels` without braces.
  void render(const std::string& name, const std::string& labels, std::string& out) const;
  uint64_t count() const;

 private:
  const std::span<const double> limits_;
  std::vector<std::atomic<uint64_t>> buckets_;
  std::atomic<uint64_t> microseconds_ = 0;
};

// What is counted for one model. Any thread.
class TfsModelSeries {
 public:
  // `runtime`: what TensorFlow Serving calls it, see runtime_name().
  explicit TfsModelSeries(std::string runtime) : runtime_(std::move(runtime)) {}

  // Requests of other APIs, and MultiInference, are not counted, as there. `computed`: the model's part of `took`.
  void count(Api api, Operation operation, absl::StatusCode result, absl::Duration took, absl::Duration computed);

 private:
  friend class TfsMetrics;
  static constexpr int kCodes = 17;  // canonical codes
  static constexpr int kOperations = 3;

  const std::string runtime_;
  std::array<std::atomic<uint64_t>, kCodes> requests_{};
  std::array<std::array<MicrosecondsHistogram, kOperations>, 2> latency_;  // REST, gRPC
  std::array<MicrosecondsHistogram, kOperations> runtime_latency_;
};

// "TF1", TensorFlow Serving's name for TensorFlow's sessions, for the backend tensorflow, else the backend's name.
std::string runtime_name(const std::string& platform);

class TfsMetrics {
 public:
  // The one of that model; the reference stays. Any thread.
  TfsModelSeries& of_model(const std::string& name, const std::string& platform);

  // One attempt to load a version, one to warm it up. Any thread.
  void count_load(const std::string& folder, const absl::Status& result, absl::Duration load);
  void count_warm_up(const std::string& folder, const absl::Status& result, absl::Duration took);
  // One run of a batch. `queued`: how long each of its requests waited. Any thread.
  void count_batch(std::span<const absl::Duration> queued);

  std::string render() const;

 private:
  struct Loads {
    uint64_t succeeded = 0, failed = 0;
    absl::Duration latency;
  };
  using Series = std::map<std::string, std::unique_ptr<TfsModelSeries>>;

  static void render_requests(const Series& models, std::string& out);
  static void render_latencies(const Series& models, std::string& out);
  void render_batches(std::string& out) const;
  void render_loads(std::string& out) const;

  MicrosecondsHistogram batch_queuing_{queuing_limits()};
  std::atomic<uint64_t> batch_runs_ = 0;

  mutable std::mutex mutex_;  // of what follows
  Series models_;
  std::map<std::string, Loads> loads_;                                                              // by folder
  std::map<std::pair<std::string, std::string>, std::unique_ptr<MicrosecondsHistogram>> warm_ups_;  // by folder, status
};

}  // namespace tidegate::serving
