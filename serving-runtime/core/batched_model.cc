#include "serving-runtime/core/batched_model.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "base/status.h"
#include "serving-runtime/core/batch_input.h"
#include "serving-runtime/core/rows.h"

namespace tidegate::serving {
namespace {

bool has_free_rows(const std::vector<model::TensorSpec>& specs) {
  return !specs.empty() && std::all_of(specs.begin(), specs.end(), [](const model::TensorSpec& spec) {
    return !spec.unknown_rank && !spec.shape.empty() && spec.shape[0] < 0;
  });
}

// The first dimension that all inputs have; 0: there is none, or one of them has no element and may claim any.
int64_t common_rows(std::span<const Tensor> inputs) {
  if (inputs.empty() || inputs[0].shape().empty()) return 0;
  const int64_t rows = inputs[0].shape()[0];
  const bool alike = std::all_of(inputs.begin(), inputs.end(), [rows](const Tensor& input) {
    return !input.shape().empty() && input.shape()[0] == rows && input.raw_bytes() > 0;
  });
  return alike ? rows : 0;
}

// Whether the signature leaves that size of an input to the client.
bool is_open(const model::TensorSpec& spec, size_t dimension) {
  return dimension < spec.shape.size() && spec.shape[dimension] < 0;
}

bool has_rows(const Tensor& output, int64_t rows) { return !output.shape().empty() && output.shape()[0] == rows; }

// Each has rows.
bool have_same_row_shape(std::span<const Tensor* const> parts) {
  return std::all_of(parts.begin(), parts.end(), [&parts](const Tensor* part) {
    const Shape &first = parts.front()->shape(), &shape = part->shape();
    return std::equal(first.begin() + 1, first.end(), shape.begin() + 1, shape.end());
  });
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

BatchedModel::BatchedModel(std::unique_ptr<LoadedModel> model, BatchingOptions options, const base::Clock& clock)
    : model_(std::move(model)),
      options_(std::move(options)),
      clock_(clock),
      queue_({options_.max_batch_size, options_.batch_timeout, options_.max_enqueued_batches,
              options_.num_batch_threads}) {
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
  const Fit fit = options_.pad_variable_length_inputs ? Fit::kPadded : Fit::kExact;
  return run_in_batch(signature, inputs, outputs, rows, fit);
}

absl::StatusOr<std::vector<Tensor>> BatchedModel::run_in_batch(size_t signature, std::span<Tensor> inputs,
                                                               Outputs outputs, int64_t rows, Fit fit) const {
  BatchRequest request{inputs, rows, clock_.uptime()};
  const auto run = [&](BatchRequests batch) { run_batch(signature, outputs, batch); };
  TG_RETURN_IF_ERROR(queue_.submit(key_of(signature, inputs, outputs, fit), request, run));
  return std::move(request.result);
}

// What requests of one batch have in common.
std::string BatchedModel::key_of(size_t signature, std::span<const Tensor> inputs, Outputs outputs, Fit fit) const {
  std::string key = base::cat(signature, fit == Fit::kPadded ? "p" : "");
  for (const uint64_t output : outputs) base::append(key, base::cat(":", output));
  const std::vector<model::TensorSpec>& specs = model_->signatures()[signature].inputs;
  for (size_t input = 0; input < inputs.size(); ++input) {
    base::append(key, base::cat("|", static_cast<int>(inputs[input].type())));
    const Shape& shape = inputs[input].shape();
    const bool may_grow = fit == Fit::kPadded && inputs[input].raw_bytes() > 0;
    for (size_t i = 1; i < shape.size(); ++i) {
      base::append(key, ",");
      if (!may_grow || !is_open(specs[input], i)) base::append(key, shape[i]);
    }
  }
  return key;
}

void BatchedModel::report(BatchRequests batch, int64_t rows) const {
  if (!options_.on_batch) return;
  const absl::Duration now = clock_.uptime();
  std::vector<absl::Duration> queued;
  for (const BatchRequest* request : batch) queued.push_back(now - request->arrived);
  options_.on_batch({rows, queued});
}

void BatchedModel::run_batch(size_t signature, Outputs outputs, BatchRequests batch) const {
  std::vector<int64_t> counts;
  for (const BatchRequest* request : batch) counts.push_back(request->rows);
  const int64_t sent = std::accumulate(counts.begin(), counts.end(), int64_t{0}), rows = padded(sent);
  report(batch, rows);
  if (batch.size() == 1 && rows == sent) return run_alone(signature, outputs, batch);
  std::vector<Tensor> joined;
  for (size_t i = 0; i < batch[0]->inputs.size(); ++i) {
    std::vector<const Tensor*> parts;
    for (const BatchRequest* request : batch) parts.push_back(&request->inputs[i]);
    BatchInput input(std::move(parts));
    if (options_.pad_variable_length_inputs && !input.pad()) return run_alone(signature, outputs, batch);
    joined.push_back(input.join(rows));
  }
  auto results = model_->run(signature, joined, outputs);
  if (!results.ok()) return run_alone(signature, outputs, batch);
  for (BatchRequest* request : batch) request->result.emplace();
  for (Tensor& result : *results) {
    // The graph does not give a row for each: such requests cannot be run together, nor with rows that are added.
    if (!has_rows(result, rows)) return run_alone(signature, outputs, batch);
    auto pieces = split_rows(std::move(result), counts);
    for (size_t i = 0; i < counts.size(); ++i) batch[i]->result->push_back(std::move((*pieces)[i]));
  }
}

void BatchedModel::run_alone(size_t signature, Outputs outputs, BatchRequests batch) const {
  for (BatchRequest* request : batch) request->result = model_->run(signature, request->inputs, outputs);
}

absl::StatusOr<std::vector<Tensor>> BatchedModel::run_in_pieces(size_t signature, std::span<Tensor> inputs,
                                                                Outputs outputs, int64_t rows) const {
  std::vector<int64_t> counts;
  for (int64_t left = rows; left > 0; left -= counts.back()) counts.push_back(std::min(left, options_.max_batch_size));
  std::vector<std::vector<Tensor>> results;
  int64_t begin = 0;
  for (const int64_t count : counts) {
    std::vector<Tensor> piece;
    for (const Tensor& input : inputs) piece.push_back(copy_rows(input, begin, count));
    // Padded with others, one piece could give rows of another size than the next.
    TG_ASSIGN_OR_RETURN(results.emplace_back(), run_in_batch(signature, piece, outputs, count, Fit::kExact));
    begin += count;
  }
  std::vector<Tensor> joined;
  for (size_t output = 0; output < outputs.size(); ++output) {
    std::vector<const Tensor*> parts;
    bool fitting = true;
    for (size_t i = 0; i < results.size(); ++i) {
      parts.push_back(&results[i][output]);
      fitting = fitting && has_rows(*parts.back(), counts[i]);
    }
    if (!fitting || !have_same_row_shape(parts)) {
      return absl::FailedPreconditionError(
          base::cat("a request of ", rows, " rows is run in pieces of ", options_.max_batch_size,
                    ", of which the model gave outputs of different shapes, or not a row for each of theirs; send "
                    "fewer rows"));
    }
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
