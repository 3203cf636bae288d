#pragma once
// Whole small files: tokens, certificates, configs.
#include <absl/status/statusor.h>

#include <string>

namespace tidegate::base {

// NOT_FOUND, PERMISSION_DENIED or (a folder) FAILED_PRECONDITION with the path and the system's words.
absl::StatusOr<std::string> read_file(const std::string& path);

}  // namespace tidegate::base
