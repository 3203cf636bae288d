#include "base/files.h"

#include <cerrno>
#include <fstream>
#include <iterator>

#include "base/strings.h"

namespace tidegate::base {

absl::StatusOr<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) return absl::ErrnoToStatus(errno, cat("cannot read ", path));
  return text;
}

}  // namespace tidegate::base
