#pragma once
// What holds for every tensor that a decoder lets through.
#include <cmath>
#include <cstring>

#include "fuzz/fuzzing.h"
#include "serving-runtime/core/half.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::fuzz {

// As many elements in memory as the shape says, all of which can be read.
inline void require_whole(const serving::Tensor& tensor) {
  constexpr size_t kMostDimensions = 254;  // one more ends TensorFlow's process
  require(tensor.shape().size() <= kMostDimensions, "a tensor has no more dimensions than TensorFlow survives");
  auto count = serving::element_count(tensor.shape());
  require(count.ok(), "a tensor's shape has a number of elements", serving::shape_text(tensor.shape()));
  bool text = tensor.type() == model::DataType::kString;
  size_t element = text ? sizeof(TidegateString) : model::size_of(tensor.type());
  require(element > 0, "a tensor has a type that data can have");
  require(tensor.raw_bytes() == static_cast<size_t>(*count) * element, "a tensor's memory fits its shape");
  volatile unsigned char sum = 0;
  for (size_t i = 0; i < tensor.raw_bytes(); ++i) sum = static_cast<unsigned char>(sum + tensor.raw()[i]);
  if (!text) return;
  for (const TidegateString& one : tensor.strings()) {
    for (size_t i = 0; i < one.size; ++i) sum = static_cast<unsigned char>(sum + one.data[i]);
  }
}

template <class T, class ToFloat>
bool same_numbers(const serving::Tensor& a, const serving::Tensor& b, ToFloat to_float) {
  auto left = a.values<T>(), right = b.values<T>();
  for (size_t i = 0; i < left.size(); ++i) {
    if (std::memcmp(&left[i], &right[i], sizeof(T)) == 0) continue;
    if (!std::isnan(to_float(left[i])) || !std::isnan(to_float(right[i]))) return false;
  }
  return left.size() == right.size();
}

// Bit for bit, but that one NaN is as good as another.
inline bool same_elements(const serving::Tensor& a, const serving::Tensor& b) {
  using model::DataType;
  switch (a.type()) {
    case DataType::kFloat:
      return same_numbers<float>(a, b, [](float value) { return value; });
    case DataType::kDouble:
      return same_numbers<double>(a, b, [](double value) { return value; });
    case DataType::kHalf:
      return same_numbers<uint16_t>(a, b, serving::half_to_float);
    case DataType::kBfloat16:
      return same_numbers<uint16_t>(a, b, serving::bfloat16_to_float);
    case DataType::kString: {
      auto left = a.strings(), right = b.strings();
      return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                        [](const TidegateString& one, const TidegateString& other) {
                          return std::string_view(one.data, one.size) == std::string_view(other.data, other.size);
                        });
    }
    default:
      return a.bytes() == b.bytes();
  }
}

inline void require_same(const serving::Tensor& sent, const serving::Tensor& back) {
  require(sent.type() == back.type(), "a tensor keeps its type on its way out and in again");
  require(sent.shape() == back.shape(), "a tensor keeps its shape on its way out and in again",
          serving::shape_text(sent.shape()) + " became " + serving::shape_text(back.shape()));
  require(same_elements(sent, back), "a tensor keeps its elements on its way out and in again");
}

inline void require_same(const std::vector<serving::NamedTensor>& sent, const std::vector<serving::NamedTensor>& back) {
  require(sent.size() == back.size(), "as many tensors come back as were sent");
  for (size_t i = 0; i < sent.size(); ++i) {
    require(sent[i].name == back[i].name, "tensors keep their names", sent[i].name + " became " + back[i].name);
    require_same(sent[i].tensor, back[i].tensor);
  }
}

}  // namespace tidegate::fuzz
