#pragma once
// tensorflow.TensorProto <-> Tensor. As TensorFlow reads it: raw bytes in tensor_content, or typed fields of which a
// missing rest repeats the last value; written with typed fields, as TensorFlow Serving does unless it is told not to.
#include <absl/status/statusor.h>

#include "serving-runtime/api/tfs/repeat_allowance.h"
#include "serving-runtime/core/tensor.h"
#include "tensorflow.pb.h"

namespace tidegate::serving::tfs {

// INVALID_ARGUMENT when the shape is not fully given, the content does not fit it, or it repeats more than `allowance`
// has left; UNIMPLEMENTED for types that are not data (resource, variant).
absl::StatusOr<Tensor> from_proto(const tensorflow::TensorProto& proto, RepeatAllowance& allowance);

// kContent: numbers as raw bytes. Strings are typed either way, since not every client takes them apart.
enum class ProtoForm { kTyped, kContent };
void to_proto(const Tensor& tensor, tensorflow::TensorProto& proto, ProtoForm form = ProtoForm::kTyped);

}  // namespace tidegate::serving::tfs
