#include "serving-runtime/core/rows.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/status.h"

namespace tidegate::serving {
namespace {

// How much of `data` one row takes; strings are counted as the views that `data` holds.
size_t row_bytes(const Tensor& tensor) {
  size_t elements = 1;
  for (size_t i = 1; i < tensor.shape().size(); ++i) elements *= static_cast<size_t>(tensor.shape()[i]);
  const bool strings = tensor.type() == model::DataType::kString;
  return elements * (strings ? sizeof(TidegateString) : model::size_of(tensor.type()));
}

Shape with_rows(Shape shape, int64_t rows) {
  shape[0] = rows;
  return shape;
}

int64_t missing_rows(std::span<const Tensor* const> parts, int64_t rows) {
  for (const Tensor* part : parts) rows -= part->shape()[0];
  return rows;
}

Tensor join_strings(std::span<const Tensor* const> parts, const Tensor& first, int64_t rows) {
  StringList strings;
  const auto push = [&strings](std::span<const TidegateString> texts) {
    for (const TidegateString& text : texts) strings.push({text.data, text.size});
  };
  for (const Tensor* part : parts) push(part->strings());
  const auto row = first.strings().first(row_bytes(first) / sizeof(TidegateString));
  for (int64_t i = missing_rows(parts, rows); i > 0; --i) push(row);
  return Tensor(with_rows(first.shape(), rows), std::move(strings));
}

// Calls `elements(begin, count)` for runs of the tensor's elements and `filling(count)` for what is new between them,
// in the order of the padded tensor.
class PaddingWalk {
 public:
  PaddingWalk(const Shape& from, const Shape& to) : from_(from), to_(to) {}

  template <class Elements, class Filling>
  void run(const Elements& elements, const Filling& filling) {
    walk(0, elements, filling);
  }

 private:
  template <class Elements, class Filling>
  void walk(size_t dimension, const Elements& elements, const Filling& filling) {
    if (alike_from(dimension)) {
      const size_t count = elements_from(from_, dimension);
      elements(next_, count);
      next_ += count;
      return;
    }
    for (int64_t i = 0; i < from_[dimension]; ++i) walk(dimension + 1, elements, filling);
    const int64_t missing = to_[dimension] - from_[dimension];
    filling(static_cast<size_t>(missing) * elements_from(to_, dimension + 1));
  }

  bool alike_from(size_t dimension) const {
    return std::equal(from_.begin() + static_cast<std::ptrdiff_t>(dimension), from_.end(),
                      to_.begin() + static_cast<std::ptrdiff_t>(dimension));
  }
  static size_t elements_from(const Shape& shape, size_t dimension) {
    size_t count = 1;
    for (size_t i = dimension; i < shape.size(); ++i) count *= static_cast<size_t>(shape[i]);
    return count;
  }

  const Shape& from_;
  const Shape& to_;
  size_t next_ = 0;
};

}  // namespace

Tensor pad_rows(const Tensor& tensor, const Shape& shape) {
  Shape padded = with_rows(shape, tensor.shape()[0]);
  PaddingWalk walk(tensor.shape(), padded);
  if (tensor.type() == model::DataType::kString) {
    StringList strings;
    const auto push = [&strings](const TidegateString& text) { strings.push({text.data, text.size}); };
    const auto texts = tensor.strings();
    walk.run([&](size_t begin,
                 size_t count) { std::for_each_n(texts.begin() + static_cast<std::ptrdiff_t>(begin), count, push); },
             [&](size_t count) {
               for (; count > 0; --count) push(texts[0]);
             });
    return Tensor(std::move(padded), std::move(strings));
  }
  const size_t width = model::size_of(tensor.type());
  const std::string_view bytes = tensor.bytes();
  AlignedBuffer data;
  walk.run([&](size_t begin, size_t count) { data.append(bytes.substr(begin * width, count * width)); },
           [&](size_t count) {
             for (; count > 0; --count) data.append(bytes.substr(0, width));
           });
  return Tensor(tensor.type(), std::move(padded), std::move(data));
}

Tensor join_rows(std::span<const Tensor* const> parts, int64_t rows) {
  const Tensor* first = parts.front();
  for (const Tensor* part : parts) {
    if (first->shape()[0] == 0) first = part;
  }
  if (first->type() == model::DataType::kString) return join_strings(parts, *first, rows);
  AlignedBuffer data;
  const size_t row = row_bytes(*first);
  data.reserve(row * static_cast<size_t>(rows));
  for (const Tensor* part : parts) data.append(part->bytes());
  for (int64_t i = missing_rows(parts, rows); i > 0; --i) data.append(first->bytes().substr(0, row));
  return Tensor(first->type(), with_rows(first->shape(), rows), std::move(data));
}

Tensor copy_rows(const Tensor& tensor, int64_t begin, int64_t count) {
  const size_t row = row_bytes(tensor), first = static_cast<size_t>(begin), rows = static_cast<size_t>(count);
  Shape shape = with_rows(tensor.shape(), count);
  if (tensor.type() == model::DataType::kString) {
    const size_t width = row / sizeof(TidegateString);
    StringList strings;
    for (const TidegateString& text : tensor.strings().subspan(first * width, rows * width)) {
      strings.push({text.data, text.size});
    }
    return Tensor(std::move(shape), std::move(strings));
  }
  AlignedBuffer data;
  data.append(tensor.bytes().substr(first * row, rows * row));
  return Tensor(tensor.type(), std::move(shape), std::move(data));
}

absl::StatusOr<std::vector<Tensor>> split_rows(Tensor tensor, std::span<const int64_t> rows) {
  int64_t needed = 0;
  for (const int64_t count : rows) needed += count;
  if (tensor.shape().empty() || tensor.shape()[0] < needed) {
    return absl::InternalError(base::cat("an output of shape ", shape_text(tensor.shape()), " has no row for each of ",
                                         needed, " rows of the input"));
  }
  const size_t row = row_bytes(tensor);
  const auto whole = std::make_shared<const Tensor>(std::move(tensor));
  std::vector<Tensor> pieces;
  size_t begin = 0;
  for (const int64_t count : rows) {
    const size_t bytes = row * static_cast<size_t>(count);
    pieces.push_back(Tensor::view_of(whole, with_rows(whole->shape(), count), begin, bytes));
    begin += bytes;
  }
  return pieces;
}

}  // namespace tidegate::serving
