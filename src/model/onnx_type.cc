#include "model/onnx_type.h"

#include <array>

namespace tidegate::model {
namespace {

struct OnnxType {
  std::string_view name;
  DataType type;
};

// By number.
constexpr std::array<OnnxType, 27> kTypes = {{
    {"undefined", DataType::kInvalid},
    {"float", DataType::kFloat},
    {"uint8", DataType::kUint8},
    {"int8", DataType::kInt8},
    {"uint16", DataType::kUint16},
    {"int16", DataType::kInt16},
    {"int32", DataType::kInt32},
    {"int64", DataType::kInt64},
    {"string", DataType::kString},
    {"bool", DataType::kBool},
    {"float16", DataType::kHalf},
    {"double", DataType::kDouble},
    {"uint32", DataType::kUint32},
    {"uint64", DataType::kUint64},
    {"complex64", DataType::kComplex64},
    {"complex128", DataType::kComplex128},
    {"bfloat16", DataType::kBfloat16},
    {"float8e4m3fn", DataType::kInvalid},
    {"float8e4m3fnuz", DataType::kInvalid},
    {"float8e5m2", DataType::kInvalid},
    {"float8e5m2fnuz", DataType::kInvalid},
    {"uint4", DataType::kInvalid},
    {"int4", DataType::kInvalid},
    {"float4e2m1", DataType::kInvalid},
    {"float8e8m0", DataType::kInvalid},
    {"uint2", DataType::kInvalid},
    {"int2", DataType::kInvalid},
}};

bool known(int32_t type) { return type >= 0 && static_cast<size_t>(type) < kTypes.size(); }

}  // namespace

DataType from_onnx_type(int32_t type) {
  return known(type) ? kTypes[static_cast<size_t>(type)].type : DataType::kInvalid;
}

int32_t to_onnx_type(DataType type) {
  for (size_t number = 1; number < kTypes.size(); ++number) {
    if (kTypes[number].type == type && type != DataType::kInvalid) return static_cast<int32_t>(number);
  }
  return 0;
}

std::string_view onnx_type_name(int32_t type) { return kTypes[known(type) ? static_cast<size_t>(type) : 0].name; }

}  // namespace tidegate::model
