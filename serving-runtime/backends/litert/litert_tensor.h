#pragma once
// Tensors on their way between the host and LiteRT: element types, shapes, memory, quantisation. No LiteRT needed.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/tflite_reader.h"
#include "serving-runtime/core/backend_abi.h"

namespace tidegate::serving::litert {

using Dims = std::vector<int32_t>;

// "[-1,3]"
std::string dims_text(const std::vector<int64_t>& dims);
// Bytes of a dense tensor; nothing when they are more than a tensor can have (2^48).
std::optional<size_t> bytes_of(const Dims& dims, size_t element_size);

// The number that an integer q stands for is scale * (q - zero_point).
struct Quantization {
  float scale = 1;
  int32_t zero_point = 0;
};

// An end of a signature as LiteRT and as clients see it.
struct Port {
  std::string name;                                  // that clients use
  std::string tensor_name;                           // the file's own
  model::DataType type = model::DataType::kInvalid;  // of LiteRT's elements
  int32_t element_type = 0;                          // LiteRT's number of it
  Dims stored;                                       // the shape in the file
  std::vector<int64_t> shape;                        // the same with -1 where any size goes
  std::optional<Quantization> quantization;          // set: clients see floats

  model::DataType client_type() const { return quantization ? model::DataType::kFloat : type; }
};

// LiteRT's number (TFLite's TfLiteType) of a TFLite file's type; 0 for types that its tensor buffers cannot hold.
int32_t element_type_of(int tflite_type);

// Whether clients can be shown floats: integers with one positive scale for the whole tensor.
std::optional<Quantization> quantization_of(const model::TfliteTensor& tensor);

// `type`: kInt8, kUint8 or kInt16. Rounds half away from zero as TFLite does, and cuts at the type's ends; NaN becomes
// the zero point.
void quantize(const float* from, size_t count, const Quantization& quantization, model::DataType type, void* to);
void dequantize(const void* from, size_t count, const Quantization& quantization, model::DataType type, float* to);

// Memory as LiteRT wants it: aligned to 64 bytes, and with as many readable ones behind its end, because XNNPACK reads
// up to 16 bytes too far.
class AlignedMemory {
 public:
  static constexpr size_t kAlignment = 64;

  AlignedMemory() = default;
  AlignedMemory(AlignedMemory&& other) noexcept { *this = std::move(other); }
  AlignedMemory& operator=(AlignedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~AlignedMemory();

  // Room for `bytes`; what was there is lost when it has to grow.
  void* reserve(size_t bytes);
  // Gives the memory away; free() it.
  void* release() {
    capacity_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  void* data_ = nullptr;
  size_t capacity_ = 0;
};

// Whether LiteRT can read the bytes where they are: they are aligned, and reading a little too far stays in their page.
bool is_readable_in_place(const void* data, size_t bytes);

// A tensor that the host frees. `memory` holds its elements.
TidegateTensor to_host(model::DataType type, const Dims& dims, AlignedMemory memory);

}  // namespace tidegate::serving::litert
