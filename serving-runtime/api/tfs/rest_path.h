#pragma once
// TensorFlow Serving's REST paths (its regular expressions, case ignored):
//   POST /v1/models/{m}[/versions/{n}|/labels/{l}]:(classify|regress|predict)
//   GET  /v1/models/{m}[/versions/{n}|/labels/{l}][/metadata]
#include <absl/status/statusor.h>

#include <string_view>

#include "serving-runtime/core/servable_table.h"

namespace tidegate::serving::tfs {

enum class Verb { kPredict, kClassify, kRegress, kStatus, kMetadata };

struct RestPath {
  Verb verb = Verb::kStatus;
  ModelSpec model;
};

// INVALID_ARGUMENT "Malformed request: METHOD PATH", "Failed to convert version: …", "Missing model name in request.".
absl::StatusOr<RestPath> parse_rest_path(std::string_view method, std::string_view path);

}  // namespace tidegate::serving::tfs
