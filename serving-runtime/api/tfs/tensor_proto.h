#pragma once
// tensorflow.TensorProto <-> Tensor. As TensorFlow reads it: raw bytes in tensor_content, or typed fields of which a
// missing rest repeats the last value; written with typed fields, as TensorFlow Serving does.
#include <absl/status/statusor.h>

#include "serving-runtime/core/tensor.h"
#include "tensorflow.pb.h"

namespace tidegate::serving::tfs {

// How much memory a message may claim beyond what it sent: a few bytes may ask for a tensor of any size, or for many
// tensors, by leaving their last value to be repeated. One for all tensors of a message.
class RepeatAllowance {
 public:
  static constexpr size_t kBytes = 256 << 20;

  explicit RepeatAllowance(size_t bytes = kBytes) : left_(bytes) {}
  // False, and nothing taken, when `count` elements of `element_bytes` each are more than is left.
  bool take(uint64_t count, size_t element_bytes) {
    if (count > left_ / element_bytes) return false;
    left_ -= count * element_bytes;
    return true;
  }

 private:
  size_t left_;
};

// INVALID_ARGUMENT when the shape is not fully given, the content does not fit it, or it repeats more than `allowance`
// has left; UNIMPLEMENTED for types that are not data (resource, variant).
absl::StatusOr<Tensor> from_proto(const tensorflow::TensorProto& proto, RepeatAllowance& allowance);
void to_proto(const Tensor& tensor, tensorflow::TensorProto& proto);

}  // namespace tidegate::serving::tfs
