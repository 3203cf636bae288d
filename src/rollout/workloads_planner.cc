// The Deployments of stable and canary: created once, from then on only scaled.
#include <absl/strings/str_cat.h>

#include <algorithm>

#include "rollout/planners.h"
#include "rollout/replica_wait.h"
#include "rollout/stage.h"

namespace tidegate::rollout {
namespace {

void scale(Draft& draft, const Workload& workload, int replicas) {
  if (workload.replicas == replicas) return;
  draft.plan.scales.push_back({.revision = workload.revision,
                               .from = workload.replicas,
                               .replicas = replicas,
                               .uid = workload.uid,
                               .resource_version = workload.resource_version});
}

// Only the wanted revision can be made: its template comes from the present spec.
bool create(Draft& draft, std::string_view revision, int replicas) {
  const auto& wanted = draft.observed.wanted;
  if (!wanted || wanted->revision != revision || foreign_workload(draft, revision)) return false;
  draft.plan.creates.push_back({.revision = wanted->revision,
                                .version = wanted->version,
                                .source_digest = wanted->source_digest,
                                .replicas = replicas});
  return true;
}

void plan_stable(Draft& draft) {
  api::RevisionStatus& stable = *draft.status.stable;
  const bool both = draft.status.canary.has_value();
  stable.replicas = both ? stage_of(draft).stable_replicas : draft.desired();
  if (const Workload* workload = draft.workload(stable.revision)) {
    scale(draft, *workload, stable.replicas);
  } else if (!create(draft, stable.revision, stable.replicas)) {
    draft.findings.stable_cannot_heal = true;
  }
}

int canary_replicas(const Draft& draft, const Workload* workload) {
  if (draft.desired() == 0) return 0;
  if (!draft.status.stable) return draft.desired();
  const Stage stage = stage_of(draft);
  const int weight = draft.status.canary->weight;
  int target = stage.replicas;
  // More than the stage's share when it stands in for stable.
  const bool limited = draft.rollout().surge == api::Surge::kNever && stage.stable_replicas < draft.desired();
  if (weight > stage.weight && !limited) target = std::max(target, replicas_for(weight, draft.desired()));
  // Never fewer while a proxy may still send by an older weight.
  const bool settled = draft.findings.verification.behind.empty();
  if (workload != nullptr && !settled && !limited) target = std::max(target, workload->replicas);
  return target;
}

void plan_canary_replicas(Draft& draft) {
  api::CanaryStatus& canary = *draft.status.canary;
  const Workload* workload = draft.workload(canary.revision);
  canary.replicas = canary_replicas(draft, workload);
  if (draft.status.stable && surge_impossible(draft) && workload == nullptr) {
    canary.replicas = 0;
    return;
  }
  if (workload != nullptr) {
    scale(draft, *workload, canary.replicas);
  } else {
    create(draft, canary.revision, canary.replicas);
  }
}

int total_replicas(const Draft& draft) {
  int total = draft.status.stable ? draft.status.stable->replicas : 0;
  if (draft.status.canary) total += draft.status.canary->replicas;
  for (const api::DrainingStatus& draining : draft.status.draining) {
    const Workload* workload = draft.workload(draining.revision);
    const bool leaving = std::any_of(draft.plan.scales.begin(), draft.plan.scales.end(), [&](const ScaleWorkload& s) {
      return s.revision == draining.revision && s.replicas == 0;
    });
    if (workload != nullptr && !leaving) total += workload->replicas;
  }
  return total;
}

}  // namespace

void plan_workloads(Draft& draft) {
  if (draft.status.stable) plan_stable(draft);
  if (draft.status.canary) plan_canary_replicas(draft);
  draft.status.replicas = total_replicas(draft);
}

}  // namespace tidegate::rollout
