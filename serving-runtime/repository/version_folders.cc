#include "serving-runtime/repository/version_folders.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/files.h"
#include "base/strings.h"

namespace tidegate::serving {
namespace fs = std::filesystem;

absl::StatusOr<std::map<int64_t, std::string>> list_version_folders(const std::string& base_path) {
  std::error_code error;
  std::map<int64_t, std::string> folders;
  for (const fs::directory_entry& entry : base::list_folder(base_path, error)) {
    std::error_code gone;
    std::string name = entry.path().filename().string();
    int64_t version = -1;
    const char* const name_end = name.data() + name.size();
    auto parsed = std::from_chars(name.data(), name_end, version);
    if (parsed.ec != std::errc() || parsed.ptr != name_end || version < 0 || !entry.is_directory(gone)) continue;
    auto [known, fresh] = folders.emplace(version, entry.path().string());
    if (!fresh && entry.path().string().size() < known->second.size()) known->second = entry.path().string();
  }
  if (error) return absl::NotFoundError(base::cat("Model base path ", base_path, ": ", error.message()));
  return folders;
}

uint64_t folder_bytes(const std::string& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  const auto options = fs::directory_options::follow_directory_symlink | fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator at(folder, options, error), end; !error && at != end; at.increment(error)) {
    std::error_code unreadable;
    const uintmax_t size = at->is_regular_file(unreadable) ? at->file_size(unreadable) : 0;
    if (!unreadable) bytes += size;
  }
  return bytes;
}

}  // namespace tidegate::serving
