#pragma once
// JSON lists into a tensor's buffer and back, value by value, without a tree in between. The rules and messages are
// TensorFlow Serving's (tensorflow_serving/util/json_tensor.cc).
#include <absl/status/status.h>

#include <string>

#include "model/data_type.h"
#include "serving-runtime/api/json/json_reader.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

// Whole numbers for a float type whose mantissa is shorter than they are.
enum class LongIntegers {
  kRefused,  // as TensorFlow Serving does, also where the type has exactly that number
  kRounded,  // as any other number
};

// Collects the elements of one tensor.
class TensorBuilder {
 public:
  explicit TensorBuilder(model::DataType type, LongIntegers long_integers = LongIntegers::kRefused)
      : type_(type), long_integers_(long_integers) {}

  // Reads one element. INVALID_ARGUMENT when it is not of the type, UNIMPLEMENTED when JSON cannot carry the type.
  absl::Status read_element(JsonReader& reader);
  // Ends the collection. `shape` must have as many elements as were read.
  Tensor finish(Shape shape);

 private:
  absl::Status read_string(JsonReader& reader);
  absl::Status read_bool(JsonReader& reader);
  absl::Status read_number(JsonReader& reader);
  // Of 16 bits. False for a number that would become an infinity.
  bool push_short_float(float value);
  template <class Int>
  bool push_integer(const JsonNumber& number);

  model::DataType type_;
  LongIntegers long_integers_;
  AlignedBuffer numbers_;
  StringList strings_;
};

// Reads {"b64": "…"} into the bytes that it stands for. INVALID_ARGUMENT when the object is another or no base64.
absl::Status read_base64_object(JsonReader& reader, std::string& bytes);

// Reads a scalar or a nested list into `builder`; the nesting gives `shape`, which every sub-list must keep to. A part
// of a tensor has fewer dimensions at its disposal than a whole one.
absl::Status read_dense(JsonReader& reader, TensorBuilder& builder, Shape& shape,
                        size_t most_dimensions = kMostDimensions);

// Appends a number as TensorFlow Serving prints it: six significant digits if they suffice, else all; whole numbers
// with ".0"; NaN, Infinity, -Infinity bare.
void append_decimal(std::string& out, float value);
void append_decimal(std::string& out, double value);
void append_json_string(std::string& out, std::string_view text);

// Appends element `index`. `as_base64`: strings become {"b64": …}. False when JSON cannot carry the type.
bool append_element(std::string& out, const Tensor& tensor, size_t index, bool as_base64);
// Appends dimensions `from_dimension`... as nested lists, elements from `index` on; `index` moves past them.
bool append_nested(std::string& out, const Tensor& tensor, size_t from_dimension, size_t& index, bool as_base64);

}  // namespace tidegate::serving
