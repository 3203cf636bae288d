#pragma once
// Serialized tf.Example protos on their way into a model: one string tensor. Called by the decoders of REST and gRPC.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "serving-runtime/core/tensor.h"

namespace tidegate::serving::tfs {

class ExampleBatch {
 public:
  // A few bytes of examples may claim any number of copies of a long context.
  static constexpr size_t kMostContextBytes = 256 << 20;

  // The features of `context`, a serialized Example, go to every example that has none of the same name.
  explicit ExampleBatch(std::string context = {}, size_t most_context_bytes = kMostContextBytes)
      : context_(std::move(context)), most_context_bytes_(most_context_bytes) {}

  // INVALID_ARGUMENT when all copies of the context would be more than `most_context_bytes`.
  absl::Status add(std::string_view example);
  // Shape [examples]. INVALID_ARGUMENT "Input is empty." when nothing was added.
  absl::StatusOr<Tensor> finish();

 private:
  const std::string context_;
  const size_t most_context_bytes_;
  StringList examples_;
};

}  // namespace tidegate::serving::tfs
