#include "serving-runtime/core/batch_input.h"

#include <algorithm>
#include <cstdint>

#include "serving-runtime/core/rows.h"

namespace tidegate::serving {
namespace {

constexpr uint64_t kMostPaddedBytes = 256 << 20;

bool have_same_rows(const Shape& one, const Shape& other) {
  return std::equal(one.begin() + 1, one.end(), other.begin() + 1);
}

// What padding makes of a part; 0: nothing is added.
uint64_t padded_bytes(const Tensor& part, const Shape& to) {
  if (have_same_rows(to, part.shape())) return 0;
  Shape shape = to;
  shape[0] = part.shape()[0];
  const absl::StatusOr<int64_t> count = element_count(shape);
  if (!count.ok()) return kMostPaddedBytes + 1;
  const bool text = part.type() == model::DataType::kString;
  const uint64_t width = text ? sizeof(TidegateString) + part.strings()[0].size : model::size_of(part.type());
  // Neither is above 2^48, and what is too much need not be exact.
  return static_cast<uint64_t>(*count) > kMostPaddedBytes / width ? kMostPaddedBytes + 1
                                                                  : static_cast<uint64_t>(*count) * width;
}

}  // namespace

bool BatchInput::pad() {
  Shape largest = parts_.front()->shape();
  for (const Tensor* part : parts_) {
    for (size_t i = 1; i < largest.size(); ++i) largest[i] = std::max(largest[i], part->shape()[i]);
  }
  uint64_t bytes = 0;
  for (const Tensor* part : parts_) bytes += padded_bytes(*part, largest);
  if (bytes > kMostPaddedBytes) return false;
  padded_.reserve(parts_.size());
  for (const Tensor*& part : parts_) {
    if (!have_same_rows(largest, part->shape())) part = &padded_.emplace_back(pad_rows(*part, largest));
  }
  return true;
}

Tensor BatchInput::join(int64_t rows) const { return join_rows(parts_, rows); }

}  // namespace tidegate::serving
