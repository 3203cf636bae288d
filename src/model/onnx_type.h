#pragma once
// ONNX's element types: the numbers of TensorProto.DataType in onnx.proto, which ONNX Runtime's C API uses as well.
// Free of libraries (see proto_reader.h).
#include <cstdint>
#include <string_view>

#include "model/data_type.h"

namespace tidegate::model {

// kInvalid for what no protocol of ours can carry: float8, int4 and smaller, and unknown numbers.
DataType from_onnx_type(int32_t type);
// 0 (UNDEFINED) for types that ONNX does not have.
int32_t to_onnx_type(DataType type);
// ONNX's own word: "float", "int64", "float8e4m3fn"; "undefined" for unknown numbers.
std::string_view onnx_type_name(int32_t type);

}  // namespace tidegate::model
