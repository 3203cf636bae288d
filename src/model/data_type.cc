#include "model/data_type.h"

#include <array>

namespace tidegate::model {
namespace {

struct Names {
  DataType type;
  size_t size;
  std::string_view tensorflow;
  std::string_view proto;
  std::string_view oip;
};

constexpr std::array<Names, 23> kNames = {{
    {DataType::kFloat, 4, "float", "DT_FLOAT", "FP32"},
    {DataType::kDouble, 8, "double", "DT_DOUBLE", "FP64"},
    {DataType::kInt32, 4, "int32", "DT_INT32", "INT32"},
    {DataType::kUint8, 1, "uint8", "DT_UINT8", "UINT8"},
    {DataType::kInt16, 2, "int16", "DT_INT16", "INT16"},
    {DataType::kInt8, 1, "int8", "DT_INT8", "INT8"},
    {DataType::kString, 0, "string", "DT_STRING", "BYTES"},
    {DataType::kComplex64, 8, "complex64", "DT_COMPLEX64", ""},
    {DataType::kInt64, 8, "int64", "DT_INT64", "INT64"},
    {DataType::kBool, 1, "bool", "DT_BOOL", "BOOL"},
    {DataType::kQint8, 1, "qint8", "DT_QINT8", ""},
    {DataType::kQuint8, 1, "quint8", "DT_QUINT8", ""},
    {DataType::kQint32, 4, "qint32", "DT_QINT32", ""},
    {DataType::kQint16, 2, "qint16", "DT_QINT16", ""},
    {DataType::kQuint16, 2, "quint16", "DT_QUINT16", ""},
    {DataType::kBfloat16, 2, "bfloat16", "DT_BFLOAT16", "BF16"},
    {DataType::kUint16, 2, "uint16", "DT_UINT16", "UINT16"},
    {DataType::kComplex128, 16, "complex128", "DT_COMPLEX128", ""},
    {DataType::kHalf, 2, "half", "DT_HALF", "FP16"},
    {DataType::kResource, 0, "resource", "DT_RESOURCE", ""},
    {DataType::kVariant, 0, "variant", "DT_VARIANT", ""},
    {DataType::kUint32, 4, "uint32", "DT_UINT32", "UINT32"},
    {DataType::kUint64, 8, "uint64", "DT_UINT64", "UINT64"},
}};

constexpr Names kUnknown = {DataType::kInvalid, 0, "invalid", "DT_INVALID", ""};

const Names& names_of(DataType type) {
  for (const Names& names : kNames) {
    if (names.type == type) return names;
  }
  return kUnknown;
}

}  // namespace

size_t size_of(DataType type) { return names_of(type).size; }
std::string_view tensorflow_name(DataType type) { return names_of(type).tensorflow; }
std::string_view proto_name(DataType type) { return names_of(type).proto; }
std::string_view oip_name(DataType type) { return names_of(type).oip; }

DataType from_oip_name(std::string_view name) {
  if (name.empty()) return DataType::kInvalid;
  for (const Names& names : kNames) {
    if (names.oip == name) return names.type;
  }
  return DataType::kInvalid;
}

}  // namespace tidegate::model
