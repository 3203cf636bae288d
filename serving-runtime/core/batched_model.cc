#include "serving-runtime/core/batched_model.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/status.h"
#include "serving-runtime/core/rows.h"

namespace tidegate::serving {
namespace {

bool has_free_rows(const std::vector<model::TensorSpec>& specs) {
  return !specs.empty() && std::all_of(specs.begin(), specs.end(), [](const model::TensorSpec& spec) {
    return !spec.unknown_rank && !spec.shape.empty() && spec.shape[0] < 0;
  });
}

// The first dimension that all inputs have; 0: there is none.
int64_t common_rows(std::span<const Tensor> inputs) {
  if (inputs.empty() || inputs[0].shape().empty()) return 0;
  const int64_t rows = inputs[0].shape()[0];
  const bool alike = std::all_of(inputs.begin(), inputs.end(), [rows](const Tensor& input) {
    return !input.shape().empty() && input.shape()[0] == rows;
  });
  return alike ? rows : 0;
}

// What requests of one batch have in common.
std::string key_of(size_t signature, std::span<const Tensor> inputs, std::span<const uint64_t> outputs) {
  std::string key = base::cat(signature);
  for (const uint64_t output : outputs) base::append(key, base::cat(":", output));
  for (const Tensor& input : inputs) {
    base::append(key, base::cat("|", static_cast<int>(input.type())));
    for (size_t i = 1; i < input.shape().size(); ++i) base::append(key, base::cat(",", input.shape()[i]));
  }
  return key;
}

}  // namespace

absl::Status check(const BatchingOptions& options) {
  const auto positive = [](std::string_view name, int64_t value) {
    if (value > 0) return absl::OkStatus();
    return absl::InvalidArgumentError(base::cat(name, " must be positive, not ", value));
  };
  TG_RETURN_IF_ERROR(positive("max_batch_size", options.max_batch_size));
  TG_RETURN_IF_ERROR(positive("max_enqueued_batches", options.max_enqueued_batches));
  TG_RETURN_IF_ERROR(positive("num_batch_threads", options.num_batch_threads));
  if (options.batch_timeout < absl::ZeroDuration()) {
    return absl::InvalidArgumentError("batch_timeout_micros must not be negative");
  }
  const std::vector<int64_t>& sizes = options.allowed_batch_sizes;
  if (sizes.empty()) return absl::OkStatus();
  const bool rising = std::adjacent_find(sizes.begin(), sizes.end(), std::greater_equal<>()) == sizes.end();
  if (rising && sizes.front() > 0 && sizes.back() == options.max_batch_size) return absl::OkStatus();
  return absl::InvalidArgumentError("allowed_batch_sizes must rise, from 1 or more, and end with max_batch_size");
}

BatchedModel::BatchedModel(std::unique_ptr<LoadedModel> model, BatchingOptions options)
    : model_(std::move(model)), options_(std::move(options)) {
  for (const model::Signature& signature : model_->signatures()) {
    batchable_.push_back(has_free_rows(signature.inputs) && has_free_rows(signature.outputs));
  }
}

absl::StatusOr<std::vector<Tensor>> BatchedModel::run(size_t signature, std::span<Tensor> inputs,
                                                      Outputs outputs) const {
  const int64_t rows = batchable_[signature] ? common_rows(inputs) : 0;
  if (rows == 0) return model_->run(signature, inputs, outputs);
  if (rows > options_.max_batch_size) {
    if (options_.enable_large_batch_splitting) return run_in_pieces(signature, inputs, outputs, rows);
    return absl::InvalidArgumentError(
        base::cat("Task size ", rows, " is larger than maximum input batch size ", options_.max_batch_size));
  }
  Request request{inputs, rows};
  TG_RETURN_IF_ERROR(join_or_lead(signature, outputs, request));
  return std::move(request.result);
}

absl::Status BatchedModel::join_or_lead(size_t signature, Outputs outputs, Request& request) const {
  const std::string key = key_of(signature, request.inputs, outputs);
  std::unique_lock lock(mutex_);
  const auto found = open_.find(key);
  const bool joins = found != open_.end() && found->second->rows + request.rows <= options_.max_batch_size;
  if (!joins && waiting_ >= options_.max_enqueued_batches) {
    return absl::ResourceExhaustedError("The batch scheduling queue to which this task was submitted is full");
  }
  const std::shared_ptr<Batch> batch = joins ? found->second : open_batch(key);
  batch->requests.push_back(&request);
  batch->rows += request.rows;
  if (batch->rows == options_.max_batch_size) {
    batch->open = false;
    open_.erase(key);
    batch->changed.notify_all();
  }
  if (joins) {
    batch->changed.wait(lock, [&batch] { return batch->done; });
  } else {
    lead(key, lock, signature, outputs, batch);
  }
  return absl::OkStatus();
}

// The one that was open has no room: its leader need not wait for more.
std::shared_ptr<BatchedModel::Batch> BatchedModel::open_batch(const std::string& key) const {
  std::shared_ptr<Batch>& open = open_[key];
  if (open) {
    open->open = false;
    open->changed.notify_all();
  }
  ++waiting_;
  return open = std::make_shared<Batch>();
}

void BatchedModel::lead(const std::string& key, std::unique_lock<std::mutex>& lock, size_t signature, Outputs outputs,
                        const std::shared_ptr<Batch>& batch) const {
  batch->changed.wait_for(lock, absl::ToChronoNanoseconds(options_.batch_timeout), [&batch] { return !batch->open; });
  ready_.push_back(batch);
  batch->changed.wait(lock, [this, &batch] { return may_run_next(*batch); });
  ready_.pop_front();
  if (batch->open) open_.erase(key);
  batch->open = false;
  --waiting_;
  ++running_;
  wake_next();
  lock.unlock();
  run_batch(signature, outputs, *batch);
  lock.lock();
  --running_;
  wake_next();
  batch->done = true;
  batch->changed.notify_all();
}

bool BatchedModel::may_run_next(const Batch& batch) const {
  return running_ < options_.num_batch_threads && ready_.front().get() == &batch;
}

void BatchedModel::wake_next() const {
  if (!ready_.empty() && running_ < options_.num_batch_threads) ready_.front()->changed.notify_all();
}

void BatchedModel::run_batch(size_t signature, Outputs outputs, Batch& batch) const {
  const int64_t rows = padded(batch.rows);
  if (options_.on_batch) options_.on_batch(rows);
  if (batch.requests.size() == 1 && rows == batch.rows) return run_alone(signature, outputs, batch);
  std::vector<Tensor> joined;
  for (size_t i = 0; i < batch.requests[0]->inputs.size(); ++i) {
    std::vector<const Tensor*> parts;
    for (const Request* request : batch.requests) parts.push_back(&request->inputs[i]);
    joined.push_back(join_rows(parts, rows));
  }
  auto results = model_->run(signature, joined, outputs);
  if (!results.ok()) return run_alone(signature, outputs, batch);
  std::vector<int64_t> counts;
  for (const Request* request : batch.requests) counts.push_back(request->rows);
  for (Request* request : batch.requests) request->result.emplace();
  for (Tensor& result : *results) {
    auto pieces = split_rows(std::move(result), counts);
    // The graph does not give a row for each: such requests cannot be run together.
    if (!pieces.ok()) return run_alone(signature, outputs, batch);
    for (size_t i = 0; i < counts.size(); ++i) batch.requests[i]->result->push_back(std::move((*pieces)[i]));
  }
}

void BatchedModel::run_alone(size_t signature, Outputs outputs, Batch& batch) const {
  for (Request* request : batch.requests) request->result = model_->run(signature, request->inputs, outputs);
}

absl::StatusOr<std::vector<Tensor>> BatchedModel::run_in_pieces(size_t signature, std::span<Tensor> inputs,
                                                                Outputs outputs, int64_t rows) const {
  std::vector<int64_t> counts;
  for (int64_t left = rows; left > 0; left -= counts.back()) counts.push_back(std::min(left, options_.max_batch_size));
  std::vector<std::vector<Tensor>> pieces(counts.size());
  for (Tensor& input : inputs) {
    TG_ASSIGN_OR_RETURN(std::vector<Tensor> split, split_rows(std::move(input), counts));
    for (size_t i = 0; i < counts.size(); ++i) {
      const Tensor* piece = &split[i];
      pieces[i].push_back(join_rows({&piece, 1}, counts[i]));  // a copy: inputs must be aligned
    }
  }
  std::vector<std::vector<Tensor>> results;
  for (std::vector<Tensor>& piece : pieces) {
    TG_ASSIGN_OR_RETURN(results.emplace_back(), run(signature, piece, outputs));
  }
  std::vector<Tensor> joined;
  for (size_t output = 0; output < outputs.size(); ++output) {
    std::vector<const Tensor*> parts;
    for (const std::vector<Tensor>& result : results) parts.push_back(&result[output]);
    joined.push_back(join_rows(parts, rows));
  }
  return joined;
}

int64_t BatchedModel::padded(int64_t rows) const {
  const std::vector<int64_t>& sizes = options_.allowed_batch_sizes;
  const auto size = std::lower_bound(sizes.begin(), sizes.end(), rows);
  return size == sizes.end() ? rows : *size;
}

}  // namespace tidegate::serving
