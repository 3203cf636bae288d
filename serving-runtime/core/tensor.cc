#include "serving-runtime/core/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

struct StringBlock {
  std::string bytes;
  std::vector<TidegateString> strings;
};

}  // namespace

absl::StatusOr<int64_t> element_count(const Shape& shape) {
  constexpr int64_t kLimit = int64_t{1} << 48;
  int64_t count = 1;
  for (int64_t size : shape) {
    if (size < 0)
      return absl::InvalidArgumentError(base::cat("shape ", shape_text(shape), " has a negative dimension"));
    if (size != 0 && count > kLimit / size) {
      return absl::InvalidArgumentError(base::cat("shape ", shape_text(shape), " has more elements than any tensor"));
    }
    count *= size;
  }
  return count;
}

std::string shape_text(const Shape& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i) out += ',';
    base::append(out, shape[i]);
  }
  return out + "]";
}

void AlignedBuffer::reserve(size_t bytes) {
  if (bytes <= capacity_) return;
  size_t capacity = std::max<size_t>({bytes, capacity_ * 2, 256});
  capacity = (capacity + kAlignment - 1) / kAlignment * kAlignment;
  auto* moved = static_cast<char*>(std::aligned_alloc(kAlignment, capacity));
  if (!moved) throw std::bad_alloc();
  if (size_) std::memcpy(moved, data_, size_);
  std::free(data_);
  data_ = moved;
  capacity_ = capacity;
}

void AlignedBuffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  size_t old = size_;
  if (old + bytes.size() > capacity_) reserve(old + bytes.size());
  std::memcpy(data_ + old, bytes.data(), bytes.size());
  size_ = old + bytes.size();
}

Tensor::Tensor(model::DataType type, Shape shape, AlignedBuffer data) : type_(type), shape_(std::move(shape)) {
  c_.bytes = data.size();
  c_.data = data.release();
  c_.owner = c_.data;
  c_.release = [](void* owner) { std::free(owner); };
}

Tensor::Tensor(Shape shape, StringList list) : type_(model::DataType::kString), shape_(std::move(shape)) {
  auto block = std::make_unique<StringBlock>();
  block->bytes = std::move(list.bytes_);
  block->strings.reserve(list.ends_.size());
  size_t begin = 0;
  for (size_t end : list.ends_) {
    block->strings.push_back({block->bytes.data() + begin, end - begin});
    begin = end;
  }
  c_.data = block->strings.data();
  c_.bytes = block->strings.size() * sizeof(TidegateString);
  c_.owner = block.release();
  c_.release = [](void* owner) { delete static_cast<StringBlock*>(owner); };
}

Tensor::Tensor(const TidegateTensor& from_backend)
    : type_(static_cast<model::DataType>(from_backend.dtype)),
      shape_(from_backend.dims, from_backend.dims + from_backend.rank),
      c_(from_backend) {}

Tensor Tensor::view_of(std::shared_ptr<const Tensor> whole, Shape shape, size_t begin, size_t bytes) {
  using Owner = std::shared_ptr<const Tensor>;
  Tensor view;
  view.type_ = whole->type_;
  view.shape_ = std::move(shape);
  view.c_.data = static_cast<char*>(whole->c_.data) + begin;
  view.c_.bytes = bytes;
  view.c_.owner = new Owner(std::move(whole));
  view.c_.release = [](void* owner) { delete static_cast<Owner*>(owner); };
  return view;
}

Tensor::~Tensor() {
  if (c_.release) c_.release(c_.owner);
}

int64_t Tensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape_) count *= size;
  return count;
}

TidegateTensor Tensor::hand_over() {
  TidegateTensor out = std::exchange(c_, TidegateTensor{});
  out.dtype = static_cast<int32_t>(type_);
  out.rank = static_cast<int32_t>(shape_.size());
  out.dims = shape_.data();
  return out;
}

void Tensor::swap(Tensor& other) {
  std::swap(type_, other.type_);
  std::swap(shape_, other.shape_);
  std::swap(c_, other.c_);
}

Tensor copy_of(const Tensor& tensor) {
  if (tensor.type() == model::DataType::kString) {
    StringList strings;
    for (const TidegateString& text : tensor.strings()) strings.push({text.data, text.size});
    return Tensor(tensor.shape(), std::move(strings));
  }
  AlignedBuffer data;
  data.append(tensor.bytes());
  return Tensor(tensor.type(), tensor.shape(), std::move(data));
}

std::vector<NamedTensor> copy_of(const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> copies;
  copies.reserve(tensors.size());
  for (const NamedTensor& tensor : tensors) copies.push_back({tensor.name, copy_of(tensor.tensor)});
  return copies;
}

uint64_t memory_of(const Tensor& tensor) {
  uint64_t bytes = tensor.raw_bytes();
  if (tensor.type() != model::DataType::kString) return bytes;
  for (const TidegateString& text : tensor.strings()) bytes += text.size;
  return bytes;
}

}  // namespace tidegate::serving
