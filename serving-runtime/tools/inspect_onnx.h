#pragma once
// The part of `tidegate-runtime inspect` that tells of ONNX models.
#include <string>

#include "model/model_format.h"

namespace tidegate::serving {

std::string onnx_as_text(const model::OnnxFile& file);
std::string onnx_as_json(const model::OnnxFile& file);

}  // namespace tidegate::serving
