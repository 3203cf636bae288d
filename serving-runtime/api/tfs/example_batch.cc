#include "serving-runtime/api/tfs/example_batch.h"

#include "base/status.h"

namespace tidegate::serving::tfs {
absl::Status ExampleBatch::add(std::string_view example) {
  if (context_.empty()) {
    examples_.push(example);
    return absl::OkStatus();
  }
  if (!allowance_.take(1, context_.size())) {
    return absl::InvalidArgumentError(base::cat("A context of ", context_.size(), " bytes for more than ",
                                                examples_.size(), " examples takes too much memory"));
  }
  // Protobuf merges messages that stand one behind the other; of two features with one name the last counts.
  examples_.push(base::cat(context_, example));
  return absl::OkStatus();
}

absl::StatusOr<Tensor> ExampleBatch::finish() {
  if (examples_.size() == 0) return absl::InvalidArgumentError("Input is empty.");
  Shape shape = {static_cast<int64_t>(examples_.size())};
  return Tensor(std::move(shape), std::move(examples_));
}

}  // namespace tidegate::serving::tfs
