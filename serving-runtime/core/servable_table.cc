#include "serving-runtime/core/servable_table.h"

#include <algorithm>

#include "base/status.h"

namespace tidegate::serving {
namespace {

absl::StatusOr<int64_t> labelled_version(const ModelEntry& model, const std::string& label) {
  auto found = model.labels.find(label);
  if (found != model.labels.end()) return found->second;
  return absl::InvalidArgumentError(base::cat("Unrecognized servable version label: ", label));
}

absl::Status no_servable(const ModelSpec& spec, std::optional<int64_t> version) {
  if (!version) return absl::NotFoundError(base::cat("Servable not found for request: Latest(", spec.name, ")"));
  return absl::NotFoundError(base::cat("Servable not found for request: Specific(", spec.name, ", ", *version, ")"));
}

}  // namespace

std::string_view name_of(VersionState state) {
  switch (state) {
    case VersionState::kStart:
      return "START";
    case VersionState::kLoading:
      return "LOADING";
    case VersionState::kAvailable:
      return "AVAILABLE";
    case VersionState::kUnloading:
      return "UNLOADING";
    case VersionState::kEnd:
      return "END";
  }
  return "UNKNOWN";
}

absl::StatusOr<std::shared_ptr<const Servable>> ServableTable::find(const ModelSpec& spec) const {
  if (spec.name.empty()) return absl::InvalidArgumentError("ModelSpec has no name specified.");
  auto model = models.find(spec.name);
  if (model == models.end()) return no_servable(spec, spec.version);
  std::optional<int64_t> wanted = spec.version;
  if (spec.label) {
    TG_ASSIGN_OR_RETURN(int64_t version, labelled_version(model->second, *spec.label));
    wanted = version;
  }
  for (const auto& [version, entry] : model->second.versions) {
    if (entry.servable && (!wanted || *wanted == version)) return entry.servable;
  }
  return no_servable(spec, wanted);
}

absl::StatusOr<std::map<int64_t, VersionEntry, std::greater<>>> ServableTable::states(const ModelSpec& spec) const {
  auto model = models.find(spec.name);
  if (model == models.end() || model->second.versions.empty()) {
    return absl::NotFoundError(base::cat("Could not find any versions of model ", spec.name));
  }
  std::optional<int64_t> wanted = spec.version;
  if (spec.label) {
    TG_ASSIGN_OR_RETURN(int64_t version, labelled_version(model->second, *spec.label));
    wanted = version;
  }
  if (!wanted) return model->second.versions;
  auto entry = model->second.versions.find(*wanted);
  if (entry == model->second.versions.end()) {
    return absl::NotFoundError(base::cat("Could not find version ", *wanted, " of model ", spec.name));
  }
  return std::map<int64_t, VersionEntry, std::greater<>>{*entry};
}

bool ServableTable::can_serve(const ModelSpec& spec) const {
  if (find(spec).ok()) return true;
  const auto model = models.find(spec.name);
  if (model == models.end() || !model->second.on_demand) return false;
  const auto found = states(spec);
  return found.ok() && std::any_of(found->begin(), found->end(),
                                   [](const auto& entry) { return entry.second.state < VersionState::kEnd; });
}

bool ServableTable::ready() const {
  return !models.empty() && std::all_of(models.begin(), models.end(), [](const auto& model) {
    const auto& versions = model.second.versions;
    if (model.second.on_demand) return !versions.empty();
    return std::any_of(versions.begin(), versions.end(),
                       [](const auto& entry) { return entry.second.servable != nullptr; });
  });
}

}  // namespace tidegate::serving
