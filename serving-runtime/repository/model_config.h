#pragma once
// Which models a server is to have, and which of their versions. Pure.
#include <absl/status/status.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tidegate::serving {

// Which of the versions in the base path are to serve.
struct VersionPolicy {
  enum class Kind { kLatest, kAll, kSpecific };
  Kind kind = Kind::kLatest;
  uint32_t latest = 1;         // kLatest: how many of the newest; >= 1
  std::set<int64_t> specific;  // kSpecific: these

  friend bool operator==(const VersionPolicy&, const VersionPolicy&) = default;
};

struct ModelConfig {
  std::string name;
  std::string base_path;
  std::string platform;  // the backend's name that its files must be for; empty: any
  VersionPolicy versions;
  std::map<std::string, int64_t> labels;  // "stable" -> 3
  bool warm_up = true;
  std::optional<double> record_rate;  // share of its requests that is recorded, 0..1; unset: as the server's flag says

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

// The versions of `present` that the policy chooses.
std::set<int64_t> chosen(const VersionPolicy& policy, const std::set<int64_t>& present);

// INVALID_ARGUMENT, with the model's name: no name or base path, one name twice, a specific policy without versions, a
// version or label below 0.
absl::Status check_models(const std::vector<ModelConfig>& models);

}  // namespace tidegate::serving
