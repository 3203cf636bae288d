#pragma once
// TensorFlow Serving's BatchingParameters, as text in a file.
#include <absl/status/status.h>

#include <string>
#include <string_view>

#include "serving-runtime/core/batched_model.h"

namespace tidegate::serving {

// Puts what the file says into `options`. Errors name the line and column, and the file as `path`; else they are those
// of check().
absl::Status read_batching_parameters(const std::string& path, BatchingOptions& options);
absl::Status parse_batching_parameters(std::string_view text, std::string_view path, BatchingOptions& options);

}  // namespace tidegate::serving
