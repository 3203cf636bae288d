#pragma once
// `tidegate-runtime inspect`: what a model folder serves, read without the library that runs it.
#include <absl/status/statusor.h>

#include <string>

namespace tidegate::serving {

// The report, as text for people or as JSON. Errors of model::detect_format and of the format's reader.
absl::StatusOr<std::string> inspect(const std::string& folder, bool json);

}  // namespace tidegate::serving
