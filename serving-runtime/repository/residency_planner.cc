#include "serving-runtime/repository/residency_planner.h"

#include <algorithm>

namespace tidegate::serving {
namespace {

using At = ModelResidences::const_iterator;

// Of the models that `counts`, the one of the lowest `rank`.
template <class Counts>
At lowest(const ModelResidences& models, Counts counts, uint64_t ModelResidence::* rank) {
  At found = models.end();
  for (At model = models.begin(); model != models.end(); ++model) {
    if (!counts(model->second)) continue;
    if (found == models.end() || model->second.*rank < found->second.*rank) found = model;
  }
  return found;
}

bool is_asked_for(const ModelResidence& model) {
  return model.presence == Presence::kAbsent && model.asked > 0 && model.bytes.has_value();
}

bool may_go(const ModelResidence& model) { return model.presence == Presence::kResident && model.uses == 0; }

}  // namespace

std::optional<ResidencyAction> next_residency_action(const ModelResidences& models, uint64_t max_bytes) {
  const At wanted = lowest(models, is_asked_for, &ModelResidence::asked);
  const bool wants = wanted != models.end();
  const uint64_t more = wants ? *wanted->second.bytes : 0;
  if (more > max_bytes) return ResidencyAction{ResidencyStep::kRefuse, wanted->first};
  uint64_t taken = 0, leaving = 0;
  for (const auto& [name, model] : models) {
    if (model.presence == Presence::kAbsent) continue;
    taken += model.bytes.value_or(0);
    if (model.presence == Presence::kUnloading) leaving += model.bytes.value_or(0);
  }
  if (taken + more <= max_bytes) {
    return wants ? std::optional(ResidencyAction{ResidencyStep::kLoad, wanted->first}) : std::nullopt;
  }
  if (taken - leaving + more <= max_bytes) return std::nullopt;  // there will be room
  const At oldest = lowest(models, may_go, &ModelResidence::last_used);
  if (oldest == models.end()) return std::nullopt;
  return ResidencyAction{ResidencyStep::kUnload, oldest->first};
}

}  // namespace tidegate::serving
