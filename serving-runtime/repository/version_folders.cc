#include "serving-runtime/repository/version_folders.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/strings.h"

namespace tidegate::serving {
namespace fs = std::filesystem;

absl::StatusOr<std::map<int64_t, std::string>> list_version_folders(const std::string& base_path) {
  std::error_code error;
  fs::directory_iterator entries(base_path, error);
  if (error) return absl::NotFoundError(base::cat("Model base path ", base_path, ": ", error.message()));
  std::map<int64_t, std::string> folders;
  for (const auto& entry : entries) {
    std::string name = entry.path().filename().string();
    int64_t version = -1;
    auto end = name.data() + name.size();
    auto parsed = std::from_chars(name.data(), end, version);
    if (parsed.ec != std::errc() || parsed.ptr != end || version < 0 || !entry.is_directory(error)) continue;
    auto [at, fresh] = folders.emplace(version, entry.path().string());
    if (!fresh && entry.path().string().size() < at->second.size()) at->second = entry.path().string();
  }
  return folders;
}

}  // namespace tidegate::serving
