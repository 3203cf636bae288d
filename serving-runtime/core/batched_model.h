#pragma once
// A model that runs requests together, as one run on a tensor with all their rows, and gives each its own rows back.
// When they run, and on whose thread, is batch_queue.h's.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "serving-runtime/core/backend.h"
#include "serving-runtime/core/batch_queue.h"

namespace tidegate::serving {

// What is told of each run.
struct BatchRun {
  int64_t rows = 0;                        // with what was added
  std::span<const absl::Duration> queued;  // how long each of its requests waited for it
};

// The names and defaults are TensorFlow Serving's.
struct BatchingOptions {
  int64_t max_batch_size = 1000;                       // rows
  absl::Duration batch_timeout;                        // the most that the first request of a batch waits for others
  int64_t max_enqueued_batches = 10;                   // that wait for a run; more are refused
  int64_t num_batch_threads = 1;                       // runs at once
  std::vector<int64_t> allowed_batch_sizes;            // rising, the last is max_batch_size; empty: any. Rows are added
  bool enable_large_batch_splitting = true;            // of requests with more rows than max_batch_size; else refused
  bool pad_variable_length_inputs = false;             // rows of different sizes run together, see BatchedModel::run()
  std::function<void(const BatchRun&)> on_batch = {};  // any thread
};

// INVALID_ARGUMENT with the field's name.
absl::Status check(const BatchingOptions& options);

class BatchedModel : public LoadedModel {
 public:
  // `clock` must outlive it; only its uptime() is asked, on any thread.
  BatchedModel(std::unique_ptr<LoadedModel> model, BatchingOptions options, const base::Clock& clock);

  const std::vector<model::Signature>& signatures() const override { return model_->signatures(); }

  // Requests are run together when they are for the same signature and outputs and their inputs have the same types and
  // the same shapes but for the first dimension, which must be the same in all of a request's. Signatures with an input
  // or output whose first dimension is fixed, and requests for which that does not hold, run alone. When a batch fails
  // each of its requests is run alone, so that none suffers from another's fault. RESOURCE_EXHAUSTED: too many batches
  // wait.
  //
  // With pad_variable_length_inputs the shapes need only be of the same length, and the same where the signature says
  // the size: what differs is padded, behind the elements and with the request's first one, to the largest of the
  // batch. Outputs are what the model makes of that. Inputs without elements, and batches that padding would make huge,
  // are not padded.
  absl::StatusOr<std::vector<Tensor>> run(size_t signature, std::span<Tensor> inputs,
                                          std::span<const uint64_t> outputs) const override;

 private:
  using Outputs = std::span<const uint64_t>;
  // Whether a request's inputs may be padded.
  enum class Fit { kExact, kPadded };

  absl::StatusOr<std::vector<Tensor>> run_in_batch(size_t signature, std::span<Tensor> inputs, Outputs outputs,
                                                   int64_t rows, Fit fit) const;
  std::string key_of(size_t signature, std::span<const Tensor> inputs, Outputs outputs, Fit fit) const;
  void report(BatchRequests batch, int64_t rows) const;
  void run_batch(size_t signature, Outputs outputs, BatchRequests batch) const;
  void run_alone(size_t signature, Outputs outputs, BatchRequests batch) const;
  absl::StatusOr<std::vector<Tensor>> run_in_pieces(size_t signature, std::span<Tensor> inputs, Outputs outputs,
                                                    int64_t rows) const;
  int64_t padded(int64_t rows) const;

  const std::unique_ptr<LoadedModel> model_;
  const BatchingOptions options_;
  const base::Clock& clock_;
  std::vector<bool> batchable_;  // by signature
  mutable BatchQueue queue_;
};

}  // namespace tidegate::serving
