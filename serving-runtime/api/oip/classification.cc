#include "serving-runtime/api/oip/classification.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include "base/status.h"
#include "serving-runtime/api/json/json_tensor.h"
#include "serving-runtime/core/half.h"

namespace tidegate::serving::oip {
namespace {

using model::DataType;

template <class Number>
bool is_nan(Number number) {
  if constexpr (std::is_floating_point_v<Number>) return number != number;
  return false;
}

template <class Number>
void append_number(std::string& out, Number number) {
  if constexpr (std::is_floating_point_v<Number>) {
    append_decimal(out, number);
  } else {
    out += std::to_string(number);
  }
}

// An output as rows, and what is wanted of each.
struct Rows {
  Rows(const Shape& shape, uint64_t wanted) {
    const bool many = shape.size() > 1;
    count = many ? static_cast<size_t>(shape[0]) : 1;
    for (size_t i = many ? 1 : 0; i < shape.size(); ++i) size *= static_cast<size_t>(shape[i]);
    classes = std::min<uint64_t>(wanted, size);
    if (many) classified.push_back(shape[0]);
    classified.push_back(static_cast<int64_t>(classes));
  }

  size_t count = 1;
  size_t size = 1;     // elements
  size_t classes = 0;  // of each
  Shape classified;
};

// `number`: the element of that index, of all rows.
template <class NumberAt>
Tensor classify_rows(const Rows& rows, NumberAt number) {
  StringList texts;
  // However many rows, or elements in none, the shape claims.
  if (rows.classes == 0 || rows.count == 0) return Tensor(rows.classified, std::move(texts));
  std::vector<size_t> places(rows.size);
  for (size_t row = 0; row < rows.count; ++row) {
    const size_t begin = row * rows.size;
    std::iota(places.begin(), places.end(), size_t{0});
    const auto comes_first = [&](size_t a, size_t b) {
      const auto x = number(begin + a), y = number(begin + b);
      if (is_nan(x) != is_nan(y)) return is_nan(y);
      return x > y || (!(x < y) && a < b);
    };
    std::partial_sort(places.begin(), places.begin() + static_cast<ptrdiff_t>(rows.classes), places.end(), comes_first);
    for (size_t k = 0; k < rows.classes; ++k) {
      std::string text;
      append_number(text, number(begin + places[k]));
      base::append(text, base::cat(":", places[k]));
      texts.push(text);
    }
  }
  return Tensor(rows.classified, std::move(texts));
}

template <class Number>
Tensor classify_as(const Tensor& output, uint64_t classes) {
  return classify_rows(Rows(output.shape(), classes), [&](size_t i) { return output.values<Number>()[i]; });
}

Tensor classify_shorts(const Tensor& output, uint64_t classes, float (*to_float)(uint16_t)) {
  return classify_rows(Rows(output.shape(), classes), [&](size_t i) { return to_float(output.values<uint16_t>()[i]); });
}

}  // namespace

bool has_classes(DataType type) {
  return type != DataType::kBool && type != DataType::kString && !model::oip_name(type).empty();
}

absl::StatusOr<Tensor> classify(const Tensor& output, uint64_t classes) {
  switch (output.type()) {
    case DataType::kFloat:
      return classify_as<float>(output, classes);
    case DataType::kDouble:
      return classify_as<double>(output, classes);
    case DataType::kHalf:
      return classify_shorts(output, classes, half_to_float);
    case DataType::kBfloat16:
      return classify_shorts(output, classes, bfloat16_to_float);
    case DataType::kInt8:
      return classify_as<int8_t>(output, classes);
    case DataType::kInt16:
      return classify_as<int16_t>(output, classes);
    case DataType::kInt32:
      return classify_as<int32_t>(output, classes);
    case DataType::kInt64:
      return classify_as<int64_t>(output, classes);
    case DataType::kUint8:
      return classify_as<uint8_t>(output, classes);
    case DataType::kUint16:
      return classify_as<uint16_t>(output, classes);
    case DataType::kUint32:
      return classify_as<uint32_t>(output, classes);
    case DataType::kUint64:
      return classify_as<uint64_t>(output, classes);
    default:
      return absl::InvalidArgumentError(
          base::cat("datatype ", model::oip_name(output.type()), " has no order to classify by"));
  }
}

}  // namespace tidegate::serving::oip
