#pragma once
// Tensors as the Open Inference Protocol's raw bytes: little-endian elements in row-major order; BYTES as a 32-bit
// length before each string. The same in the REST binary extension and in gRPC's raw contents.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "serving-runtime/core/tensor.h"

namespace tidegate::serving::oip {

// INVALID_ARGUMENT when the bytes do not fit the shape.
absl::StatusOr<Tensor> from_raw(model::DataType type, Shape shape, std::string_view bytes);
void append_raw(std::string& out, const Tensor& tensor);

// The type of that name, or INVALID_ARGUMENT naming the input.
absl::StatusOr<model::DataType> parse_type(std::string_view datatype, std::string_view input);

}  // namespace tidegate::serving::oip
