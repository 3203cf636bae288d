#include "serving-runtime/tools/numbers.h"

#include "serving-runtime/core/half.h"

namespace tidegate::serving {
namespace {

using model::DataType;

template <class T, class Convert>
std::vector<double> convert(const Tensor& tensor, Convert to_number) {
  std::vector<double> numbers;
  for (const T value : tensor.values<T>()) numbers.push_back(static_cast<double>(to_number(value)));
  return numbers;
}

template <class T>
std::vector<double> convert(const Tensor& tensor) {
  return convert<T>(tensor, [](T value) { return value; });
}

}  // namespace

bool has_numbers(DataType type) {
  switch (type) {
    case DataType::kFloat:
    case DataType::kDouble:
    case DataType::kHalf:
    case DataType::kBfloat16:
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kInt64:
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
    case DataType::kUint64:
    case DataType::kBool:
      return true;
    default:
      return false;
  }
}

std::vector<double> numbers_of(const Tensor& tensor) {
  switch (tensor.type()) {
    case DataType::kFloat:
      return convert<float>(tensor);
    case DataType::kDouble:
      return convert<double>(tensor);
    case DataType::kHalf:
      return convert<uint16_t>(tensor, half_to_float);
    case DataType::kBfloat16:
      return convert<uint16_t>(tensor, bfloat16_to_float);
    case DataType::kInt8:
      return convert<int8_t>(tensor);
    case DataType::kInt16:
      return convert<int16_t>(tensor);
    case DataType::kInt32:
      return convert<int32_t>(tensor);
    case DataType::kInt64:
      return convert<int64_t>(tensor);
    case DataType::kUint16:
      return convert<uint16_t>(tensor);
    case DataType::kUint32:
      return convert<uint32_t>(tensor);
    case DataType::kUint64:
      return convert<uint64_t>(tensor);
    default:
      return convert<uint8_t>(tensor);  // also booleans
  }
}

}  // namespace tidegate::serving
