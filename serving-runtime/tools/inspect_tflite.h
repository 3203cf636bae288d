#pragma once
// The part of `tidegate-runtime inspect` that tells of TFLite models.
#include <string>

#include "model/model_format.h"

namespace tidegate::serving {

std::string tflite_as_text(const model::TfliteFile& file);
std::string tflite_as_json(const model::TfliteFile& file);

}  // namespace tidegate::serving
