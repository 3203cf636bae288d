#pragma once
// `tidegate-runtime inspect`: what a model folder serves, read without the library that runs it.
#include <absl/status/statusor.h>

#include <string>

namespace tidegate::serving {

// The report, as text for people or as JSON. Errors of model_format.h's functions; UNIMPLEMENTED
// for formats whose signatures this build cannot read.
absl::StatusOr<std::string> inspect(const std::string& folder, bool json);

}  // namespace tidegate::serving
