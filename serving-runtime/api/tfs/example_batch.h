#pragma once
// Serialized tf.Example protos on their way into a model: one string tensor. Called by the decoders of REST and gRPC.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "serving-runtime/api/tfs/repeat_allowance.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::serving::tfs {

class ExampleBatch {
 public:
  // The features of `context`, a serialized Example, go to every example that has none of the same name. The allowance
  // must outlive the batch.
  ExampleBatch(std::string context, RepeatAllowance& allowance) : context_(std::move(context)), allowance_(allowance) {}

  // INVALID_ARGUMENT when another copy of the context is more than the allowance has left.
  absl::Status add(std::string_view example);
  // Shape [examples]. INVALID_ARGUMENT "Input is empty." when nothing was added.
  absl::StatusOr<Tensor> finish();

 private:
  const std::string context_;
  RepeatAllowance& allowance_;
  StringList examples_;
};

}  // namespace tidegate::serving::tfs
