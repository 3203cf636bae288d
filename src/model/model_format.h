#pragma once
// Which format a model folder holds, and what it serves, read without the library that runs it. Called by `inspect`,
// by the loader (to choose the backend) and by the operator's checks.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "model/onnx_proto.h"
#include "model/saved_model_proto.h"
#include "model/tflite_reader.h"

namespace tidegate::model {

enum class Format { kSavedModel, kTflite, kOnnx };

// "SavedModel" | "TFLite" | "ONNX"
std::string_view name_of(Format format);

// `folder` is one version's folder. NOT_FOUND when it does not exist; INVALID_ARGUMENT when it holds no model that is
// known or more than one; the message lists what was found. The system's error when it cannot be read.
absl::StatusOr<Format> detect_format(const std::string& folder);

// Reads `folder`/saved_model.pb. DATA_LOSS when it is not a SavedModel's protobuf (the file's size is in the message).
absl::StatusOr<std::vector<MetaGraph>> read_saved_model(const std::string& folder);

struct OnnxFile {
  std::string path;
  OnnxModel model;
};

// Reads the one *.onnx of a folder that detect_format() calls kOnnx. DATA_LOSS when it is not ONNX's protobuf; the
// message says where in the file that shows.
absl::StatusOr<OnnxFile> read_onnx(const std::string& folder);

struct TfliteFile {
  std::string path;
  uint64_t bytes = 0;
  TfliteModel model;
};

// Reads the one *.tflite of a folder that detect_format() calls kTflite. DATA_LOSS when it is not a whole TFLite model;
// the message says where in the file that shows.
absl::StatusOr<TfliteFile> read_tflite(const std::string& folder);

}  // namespace tidegate::model
