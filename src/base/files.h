#pragma once
// Whole small files (tokens, certificates, configs), and what is in a folder.
#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace tidegate::base {

// NOT_FOUND, PERMISSION_DENIED or (a folder) FAILED_PRECONDITION with the path and the system's words.
absl::StatusOr<std::string> read_file(const std::string& path);

// What is in a folder; what was read before `error`, if that is set. Unlike a range over std::filesystem's iterator,
// which throws where a network's file system fails on the way.
std::vector<std::filesystem::directory_entry> list_folder(const std::string& path, std::error_code& error);

}  // namespace tidegate::base
