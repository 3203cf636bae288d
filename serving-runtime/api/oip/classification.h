#pragma once
// Triton's classification extension: instead of an output, its largest elements and their places, as text. Called by
// infer.h. Pure.
#include <absl/status/statusor.h>

#include <cstdint>

#include "serving-runtime/core/tensor.h"

namespace tidegate::serving::oip {

// Whether elements of that type can be compared: all numbers.
bool has_classes(model::DataType type);

// BYTES of shape [rows, classes]: "value:index" of each row's largest elements, the largest first; at most as many as a
// row has. Rows are the first dimension, `index` counts the elements of one. Less than two dimensions are one row, and
// the shape is [classes]. Of equals the first comes first; NaN comes last. INVALID_ARGUMENT for other types.
absl::StatusOr<Tensor> classify(const Tensor& output, uint64_t classes);

}  // namespace tidegate::serving::oip
