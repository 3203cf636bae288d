#include "serving-runtime/backends/litert/litert_tensor.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

namespace tidegate::serving::litert {
namespace {

constexpr size_t kLargestTensor = size_t{1} << 48;
constexpr size_t kPage = 4096;
constexpr size_t kOverread = 16;

template <class Integer>
void quantize_to(const float* from, size_t count, const Quantization& quantization, Integer* to) {
  constexpr float kLowest = std::numeric_limits<Integer>::min(), kHighest = std::numeric_limits<Integer>::max();
  auto zero_point = static_cast<float>(quantization.zero_point);
  for (size_t i = 0; i < count; ++i) {
    float value = std::round(from[i] / quantization.scale) + zero_point;
    if (std::isnan(value)) value = zero_point;
    to[i] = static_cast<Integer>(std::clamp(value, kLowest, kHighest));
  }
}

template <class Integer>
void dequantize_from(const Integer* from, size_t count, const Quantization& quantization, float* to) {
  for (size_t i = 0; i < count; ++i) {
    to[i] = quantization.scale * static_cast<float>(int32_t{from[i]} - quantization.zero_point);
  }
}

// What a tensor that the host holds keeps alive.
struct HeldTensor {
  std::vector<int64_t> dims;
  void* data = nullptr;
  HeldTensor() = default;
  HeldTensor(const HeldTensor&) = delete;
  HeldTensor& operator=(const HeldTensor&) = delete;
  ~HeldTensor() { std::free(data); }
};

}  // namespace

std::string dims_text(const std::vector<int64_t>& dims) {
  std::string out = "[";
  for (size_t i = 0; i < dims.size(); ++i) out += (i ? "," : "") + std::to_string(dims[i]);
  return out + "]";
}

std::optional<size_t> bytes_of(const Dims& dims, size_t element_size) {
  size_t bytes = element_size;
  for (int32_t size : dims) {
    if (size < 0 || (size > 0 && bytes > kLargestTensor / static_cast<size_t>(size))) return std::nullopt;
    bytes *= static_cast<size_t>(size);
  }
  return bytes;
}

// The schema's TensorType to TfLiteType. Strings and the types of packed or opaque elements have no dense buffer.
int32_t element_type_of(int tflite_type) {
  constexpr int32_t kNumbers[] = {1, 10, 2, 3, 4, 0, 6, 7, 8, 9, 11, 12, 13, 0, 0, 16, 17, 0, 19};
  bool known = tflite_type >= 0 && static_cast<size_t>(tflite_type) < std::size(kNumbers);
  return known ? kNumbers[tflite_type] : 0;
}

std::optional<Quantization> quantization_of(const model::TfliteTensor& tensor) {
  model::DataType type = model::tflite_data_type(tensor.type);
  if (type != model::DataType::kInt8 && type != model::DataType::kUint8 && type != model::DataType::kInt16) return {};
  const model::TfliteQuantization& from = tensor.quantization;
  if (from.scales.size() != 1 || !std::isfinite(from.scales[0]) || from.scales[0] <= 0) return {};
  if (std::abs(from.zero_points[0]) > std::numeric_limits<uint16_t>::max()) return {};
  return Quantization{from.scales[0], static_cast<int32_t>(from.zero_points[0])};
}

void quantize(const float* from, size_t count, const Quantization& quantization, model::DataType type, void* to) {
  if (type == model::DataType::kInt8) quantize_to(from, count, quantization, static_cast<int8_t*>(to));
  if (type == model::DataType::kUint8) quantize_to(from, count, quantization, static_cast<uint8_t*>(to));
  if (type == model::DataType::kInt16) quantize_to(from, count, quantization, static_cast<int16_t*>(to));
}

void dequantize(const void* from, size_t count, const Quantization& quantization, model::DataType type, float* to) {
  if (type == model::DataType::kInt8) dequantize_from(static_cast<const int8_t*>(from), count, quantization, to);
  if (type == model::DataType::kUint8) dequantize_from(static_cast<const uint8_t*>(from), count, quantization, to);
  if (type == model::DataType::kInt16) dequantize_from(static_cast<const int16_t*>(from), count, quantization, to);
}

AlignedMemory::~AlignedMemory() { std::free(data_); }

void* AlignedMemory::reserve(size_t bytes) {
  if (data_ && bytes <= capacity_) return data_;
  size_t capacity = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  std::free(data_);
  data_ = std::aligned_alloc(kAlignment, capacity + kAlignment);
  capacity_ = data_ ? capacity : 0;
  if (!data_) throw std::bad_alloc();
  return data_;
}

bool is_readable_in_place(const void* data, size_t bytes) {
  auto begin = reinterpret_cast<uintptr_t>(data);
  return data && begin % AlignedMemory::kAlignment == 0 && (begin + bytes - 1) % kPage + kOverread < kPage;
}

TidegateTensor to_host(model::DataType type, const Dims& dims, AlignedMemory memory) {
  auto held = std::make_unique<HeldTensor>();
  held->dims.assign(dims.begin(), dims.end());
  held->data = memory.release();
  TidegateTensor out{};
  out.dtype = static_cast<int32_t>(type);
  out.rank = static_cast<int32_t>(dims.size());
  out.dims = held->dims.data();
  out.data = held->data;
  out.bytes = bytes_of(dims, model::size_of(type)).value_or(0);
  out.release = [](void* owner) { delete static_cast<HeldTensor*>(owner); };
  out.owner = held.release();
  return out;
}

}  // namespace tidegate::serving::litert
