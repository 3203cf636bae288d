#include "base/files.h"

#include <array>
#include <cerrno>
#include <fstream>

#include "base/strings.h"

namespace tidegate::base {

absl::StatusOr<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  // Not by iterators of the buffer, which throw where there is a folder.
  for (std::array<char, 16 << 10> part; file; text.append(part.data(), static_cast<size_t>(file.gcount()))) {
    file.read(part.data(), part.size());
  }
  if (!file.is_open() || file.bad()) return absl::ErrnoToStatus(errno, cat("cannot read ", path));
  return text;
}

std::vector<std::filesystem::directory_entry> list_folder(const std::string& path, std::error_code& error) {
  std::vector<std::filesystem::directory_entry> entries;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    entries.push_back(*at);
  }
  return entries;
}

}  // namespace tidegate::base
