#pragma once
// The REST paths of the Open Inference Protocol and of Triton's extensions. Pure.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace tidegate::serving::oip {

enum class Verb {
  kServer,      // GET  /v2
  kMetadata,    // GET  /v2/models/{m}[/versions/{v}]
  kReady,       // GET  …/ready
  kConfig,      // GET  …/config
  kStatistics,  // GET  …/stats, and /v2/models/stats for all
  kInfer,       // POST …/infer
  kIndex,       // POST /v2/repository/index
  kLoad,        // POST /v2/repository/models/{m}/load
  kUnload,      // POST /v2/repository/models/{m}/unload
};

struct RestPath {
  Verb verb = Verb::kServer;
  std::string model;    // empty: none, or all
  std::string version;  // empty: not chosen
};

// "GET" or "POST".
std::string_view method_of(Verb verb);

// NOT_FOUND for any other path.
absl::StatusOr<RestPath> parse_rest_path(std::string_view path);

}  // namespace tidegate::serving::oip
