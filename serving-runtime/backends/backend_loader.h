#pragma once
// Opens a backend's shared object and speaks backend_abi.h with it.
#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/model_format.h"
#include "serving-runtime/core/backend.h"

namespace tidegate::serving {

using BackendOptions = std::map<std::string, std::string>;

// The backend that runs `format`: "tensorflow", "litert", "onnx".
std::string_view backend_for(model::Format format);

// Opens `folders`[i]/libtidegate_backend_<name>.so, the first that exists. NOT_FOUND when none does (the message names
// the image that has it), FAILED_PRECONDITION when it speaks another version of the interface; else the backend's own
// error. The shared object stays open until the process ends.
absl::StatusOr<std::unique_ptr<Backend>> open_backend(std::string_view name, const std::vector<std::string>& folders,
                                                      const BackendOptions& options);

}  // namespace tidegate::serving
