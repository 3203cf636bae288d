#include "serving-runtime/fetch/fetch_plan.h"

#include <algorithm>
#include <set>

#include "base/strings.h"

namespace tidegate::serving {

std::string_view fetch_failure_reason(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
      return "AccessDenied";
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return "StoreUnreachable";
    case absl::StatusCode::kNotFound:
      return "VersionNotFound";
    case absl::StatusCode::kFailedPrecondition:
      return "DigestChanged";
    case absl::StatusCode::kDataLoss:
      return "CorruptObject";
    case absl::StatusCode::kResourceExhausted:
      return "DiskFull";
    default:
      return "Internal";
  }
}

std::vector<FilePart> cut_into_parts(uint64_t file_bytes, uint64_t part_bytes) {
  std::vector<FilePart> parts;
  for (uint64_t offset = 0; offset < file_bytes; offset += part_bytes) {
    parts.push_back({offset, std::min(part_bytes, file_bytes - offset)});
  }
  return parts;
}

absl::Status check_paths_are_compatible(const storage::Manifest& manifest) {
  std::set<std::string_view> paths;
  for (const storage::ManifestFile& file : manifest.files) paths.insert(file.path);
  for (const std::string_view path : paths) {
    for (size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
      if (paths.contains(path.substr(0, slash))) {
        return absl::InvalidArgumentError(
            base::cat("'", path.substr(0, slash), "' cannot be both a file and the folder of '", path, "'"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace tidegate::serving
