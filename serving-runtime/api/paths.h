#pragma once
// Whose the paths of the REST port are: server/rest_router.h sends requests by them.
#include <string_view>

namespace tidegate::serving {

inline constexpr std::string_view kMetricsPath = "/metrics";

// TensorFlow Serving's API, the Open Inference Protocol.
inline bool is_tfs_path(std::string_view path) { return path.starts_with("/v1/") || path.starts_with("/V1/"); }
inline bool is_oip_path(std::string_view path) { return path == "/v2" || path.starts_with("/v2/"); }

// Not for anything else.
inline bool is_reserved_path(std::string_view path) {
  return path == kMetricsPath || is_tfs_path(path) || is_oip_path(path);
}

}  // namespace tidegate::serving
