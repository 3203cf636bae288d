#pragma once
// Element types of tensors. The numbers are TensorFlow's (tensorflow/core/framework/types.proto), because that is what
// SavedModels and TensorFlow Serving's protocol carry; every other format is mapped to them.
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidegate::model {

enum class DataType : int32_t {
  kInvalid = 0,
  kFloat = 1,
  kDouble = 2,
  kInt32 = 3,
  kUint8 = 4,
  kInt16 = 5,
  kInt8 = 6,
  kString = 7,
  kComplex64 = 8,
  kInt64 = 9,
  kBool = 10,
  kQint8 = 11,
  kQuint8 = 12,
  kQint32 = 13,
  kBfloat16 = 14,
  kQint16 = 15,
  kQuint16 = 16,
  kUint16 = 17,
  kComplex128 = 18,
  kHalf = 19,
  kResource = 20,
  kVariant = 21,
  kUint32 = 22,
  kUint64 = 23,
};

// Bytes of one element; 0 for strings and for types that have no fixed size.
size_t size_of(DataType type);
// TensorFlow's word, as in its error messages: "float", "int64", "string". "invalid" for unknown numbers.
std::string_view tensorflow_name(DataType type);
// As in types.proto and TensorFlow Serving's metadata: "DT_FLOAT".
std::string_view proto_name(DataType type);
// Open Inference Protocol's word: "FP32", "BYTES"; empty when it has none (complex).
std::string_view oip_name(DataType type);
// kInvalid for a word that the protocol does not have.
DataType from_oip_name(std::string_view name);

}  // namespace tidegate::model
