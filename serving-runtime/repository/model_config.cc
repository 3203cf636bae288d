#include "serving-runtime/repository/model_config.h"

#include <algorithm>
#include <iterator>

#include "base/status.h"

namespace tidegate::serving {
namespace {

absl::Status check_model(const ModelConfig& model) {
  const auto refuse = [&model](std::string_view why) {
    return absl::InvalidArgumentError(base::cat("Model ", model.name, ": ", why));
  };
  if (model.name.empty()) return absl::InvalidArgumentError("A model in the config list has no name");
  if (model.base_path.empty()) return refuse("base_path is empty");
  const VersionPolicy& policy = model.versions;
  if (policy.kind == VersionPolicy::Kind::kSpecific && policy.specific.empty()) {
    return refuse("model_version_policy.specific names no version");
  }
  if (!policy.specific.empty() && *policy.specific.begin() < 0) return refuse("a version is a number from 0 on");
  for (const auto& [label, version] : model.labels) {
    if (label.empty()) return refuse("a version label is empty");
    if (version < 0) return refuse(base::cat("version_labels[", label, "] is no version: ", version));
  }
  return absl::OkStatus();
}

}  // namespace

std::set<int64_t> chosen(const VersionPolicy& policy, const std::set<int64_t>& present) {
  switch (policy.kind) {
    case VersionPolicy::Kind::kAll:
      return present;
    case VersionPolicy::Kind::kSpecific: {
      std::set<int64_t> both;
      std::set_intersection(present.begin(), present.end(), policy.specific.begin(), policy.specific.end(),
                            std::inserter(both, both.end()));
      return both;
    }
    case VersionPolicy::Kind::kLatest:
      break;
  }
  const size_t count = std::min<size_t>(policy.latest, present.size());
  return {std::prev(present.end(), static_cast<std::ptrdiff_t>(count)), present.end()};
}

absl::Status check_models(const std::vector<ModelConfig>& models) {
  std::set<std::string> names;
  for (const ModelConfig& model : models) {
    TG_RETURN_IF_ERROR(check_model(model));
    if (names.insert(model.name).second) continue;
    return absl::InvalidArgumentError(
        base::cat("Illegal to list model ", model.name, " multiple times in config list"));
  }
  return absl::OkStatus();
}

}  // namespace tidegate::serving
