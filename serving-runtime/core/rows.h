#pragma once
// Tensors as lists of rows, the first dimension: put together, taken apart. Pure.
#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

// All rows of `parts`, one after the other, and then the first row again until there are `rows`. At least one part, of
// one type and row shape, with at least one row in all; `rows` is no less than they have.
Tensor join_rows(std::span<const Tensor* const> parts, int64_t rows);

// `tensor` with as many rows, each enlarged behind its elements to the sizes of `shape` (whose first is not looked at;
// no other is smaller than the tensor's). What is new holds the tensor's very first element, of which there must be
// one.
Tensor pad_rows(const Tensor& tensor, const Shape& shape);

// Takes a tensor apart into pieces of so many rows each, the rest is dropped. The pieces share its memory. INTERNAL
// when the tensor has fewer rows.
absl::StatusOr<std::vector<Tensor>> split_rows(Tensor tensor, std::span<const int64_t> rows);

// `count` rows from row `begin` on, in memory of their own. The tensor has them.
Tensor copy_rows(const Tensor& tensor, int64_t begin, int64_t count);

}  // namespace tidegate::serving
