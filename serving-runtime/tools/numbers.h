#pragma once
// The elements of a tensor as doubles, whatever their type. Pure.
#include <cstdint>
#include <vector>

#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

// False for strings and for types that are no real numbers.
bool has_numbers(model::DataType type);

// Needs has_numbers(). 64-bit integers beyond 2^53 lose their last digits.
std::vector<double> numbers_of(const Tensor& tensor);

}  // namespace tidegate::serving
