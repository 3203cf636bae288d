#pragma once
// A dense tensor that is decoded once and handed on, never copied: front ends fill its buffer, the backend takes it
// over, and what the backend returns is read in place.
#include <absl/status/statusor.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/data_type.h"
#include "serving-runtime/core/backend_abi.h"

namespace tidegate::serving {

using Shape = std::vector<int64_t>;

// Tensors of more dimensions end TensorFlow's process (TensorShape::MaxDimensions), so no decoder lets them through.
inline constexpr size_t kMostDimensions = 254;

// The number of elements. INVALID_ARGUMENT for a negative dimension or a product beyond 2^48.
absl::StatusOr<int64_t> element_count(const Shape& shape);
// "[2,3]"
std::string shape_text(const Shape& shape);

// Bytes aligned as backends want them (64), growing by doubling.
class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes) { resize(bytes); }
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~AlignedBuffer() { std::free(data_); }

  char* data() { return data_; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }
  void reserve(size_t bytes);
  // New bytes are not set.
  void resize(size_t bytes) {
    reserve(bytes);
    size_ = bytes;
  }
  template <class T>
  void push(T value) {
    if (size_ + sizeof(T) > capacity_) reserve(size_ + sizeof(T));
    __builtin_memcpy(data_ + size_, &value, sizeof(T));
    size_ += sizeof(T);
  }
  void append(std::string_view bytes);
  // Gives the memory away; free() it.
  char* release() {
    size_ = capacity_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Strings end to end in one block.
class StringList {
 public:
  void push(std::string_view text) {
    ends_.push_back(bytes_.size() + text.size());
    bytes_.append(text);
  }
  size_t size() const { return ends_.size(); }

 private:
  friend class Tensor;
  std::string bytes_;
  std::vector<size_t> ends_;
};

class Tensor {
 public:
  Tensor() = default;
  // `data` holds the elements in row-major order; its size must be that of the shape.
  Tensor(model::DataType type, Shape shape, AlignedBuffer data);
  Tensor(Shape shape, StringList strings);
  // Takes over what a backend returned.
  explicit Tensor(const TidegateTensor& from_backend);
  // A part of `whole`, from its byte `begin` on, which it keeps alive.
  static Tensor view_of(std::shared_ptr<const Tensor> whole, Shape shape, size_t begin, size_t bytes);
  Tensor(Tensor&& other) noexcept { swap(other); }
  Tensor& operator=(Tensor&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Tensor();

  model::DataType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  Shape& shape() { return shape_; }
  int64_t elements() const;
  template <class T>
  std::span<const T> values() const {
    return {static_cast<const T*>(c_.data), c_.bytes / sizeof(T)};
  }
  std::span<const TidegateString> strings() const { return values<TidegateString>(); }
  // The elements as they lie in memory; of strings, the TidegateStrings.
  const char* raw() const { return static_cast<const char*>(c_.data); }
  size_t raw_bytes() const { return c_.bytes; }
  // The raw elements; not for strings.
  std::string_view bytes() const { return {static_cast<const char*>(c_.data), c_.bytes}; }

  // Gives the data away (the receiver releases it). The dims point into this object, which must stay until the call
  // that receives them returns.
  TidegateTensor hand_over();

 private:
  void swap(Tensor& other);

  model::DataType type_ = model::DataType::kInvalid;
  Shape shape_;
  TidegateTensor c_{};
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// On memory of its own, aligned as backends want it.
Tensor copy_of(const Tensor& tensor);
std::vector<NamedTensor> copy_of(const std::vector<NamedTensor>& tensors);

// What the elements take in bytes, those of strings included.
uint64_t memory_of(const Tensor& tensor);

}  // namespace tidegate::serving
