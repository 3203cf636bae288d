#pragma once
// A model's base path: one folder a version, named by its number. What other folders hold is not our business.
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <string>

namespace tidegate::serving {

// Version -> folder. "00000123" counts as 123, as in TensorFlow Serving; of two names of one number the shorter wins.
// NOT_FOUND when the base path does not exist or cannot be read.
absl::StatusOr<std::map<int64_t, std::string>> list_version_folders(const std::string& base_path);

// Bytes of all files in a folder and below. What cannot be read does not count.
uint64_t folder_bytes(const std::string& folder);

}  // namespace tidegate::serving
