#pragma once
// Names of TFLite's built-in operators by their number in the schema (BuiltinOperator).
#include <cstdint>
#include <string>

namespace tidegate::model {

inline constexpr int32_t kTfliteCustomOperator = 32;
// The first number that the schema's older, one-byte field cannot hold.
inline constexpr int32_t kTfliteFirstWideOperator = 127;

// "CONV_2D"; "BUILTIN_999" for a number that is newer than this list.
std::string tflite_operator_name(int32_t code);

}  // namespace tidegate::model
