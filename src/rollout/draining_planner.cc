// Revisions on their way out: their pods stay until no proxy can send to them any more, and a while longer for what is
// in flight; their Deployments stay, empty, for as long as history does.
#include <absl/strings/numbers.h>

#include <algorithm>
#include <vector>

#include "rollout/planners.h"
#include "rollout/runtime_failure.h"
#include "rollout/stage.h"
#include "rollout/verification.h"

namespace tidegate::rollout {
namespace {

// Requests that a proxy sent just before its weight went to 0 may take `timeout`, and a little to be told.
absl::Duration drain_time(const Draft& draft) {
  return std::max(draft.rollout().scale_down_delay, draft.observed.spec.traffic.timeout + absl::Seconds(5));
}

int observed_share(const Draft& draft, std::string_view revision) {
  for (const api::TrafficShare& share : draft.observed.status.traffic) {
    if (share.revision == revision) return share.weight;
  }
  return 0;
}

bool has_no_share(const Draft& draft, std::string_view revision) {
  return draft.share(revision) == 0 && observed_share(draft, revision) == 0;
}

// No proxy can send there at this instant: the shares that all of them have give it nothing.
bool unreachable_now(const Draft& draft, std::string_view revision) {
  return has_no_share(draft, revision) && draft.findings.verification.behind.empty();
}

// Whether what was confirmed once still holds: it has no share since, and no proxy went back behind that. Shares that
// were written for others meanwhile do not matter, whoever has them already.
bool still_confirmed(const Draft& draft, const api::DrainingStatus& draining) {
  uint64_t confirmed = 0;
  if (!absl::SimpleAtoi(draining.verified_resource_version, &confirmed))
    return unreachable_now(draft, draining.revision);
  return has_no_share(draft, draining.revision) && all_have_applied(draft.observed, confirmed);
}

// A former stable is the way back while its successor is short of replicas (rule 5); a quarantined one is not.
bool needed_as_reserve(const Draft& draft, const api::DrainingStatus& draining) {
  if (draft.quarantined(draining.revision) != nullptr || !draft.status.stable || draft.desired() == 0) return false;
  const Workload* stable = draft.workload(draft.status.stable->revision);
  // A reserve must not hold the very device that its successor waits for.
  const bool successor_lacks_room = stable != nullptr && !unschedulable_message(*stable).empty();
  return draft.status.stable->available < replicas_to_carry(100, draft.desired()) && !successor_lacks_room &&
         draft.available(draining.revision) > 0;
}

// True when its pods may go.
bool is_drained(Draft& draft, api::DrainingStatus& draining) {
  const bool confirmed = draining.verified_at.has_value();
  if (confirmed ? !still_confirmed(draft, draining) : !unreachable_now(draft, draining.revision)) {
    // A proxy may have gone back to an older configuration: the time begins again when all are there.
    draining.verified_at.reset();
    draining.verified_resource_version.clear();
    return false;
  }
  if (!confirmed) confirm_zero(draft, draining);
  const absl::Time due = *draining.verified_at + drain_time(draft);
  if (draft.now() < due) {
    draft.look_again_at(due);
    return false;
  }
  return !needed_as_reserve(draft, draining);
}

void scale_to_zero(Draft& draft, const Workload& workload) {
  draft.plan.scales.push_back({.revision = workload.revision,
                               .from = workload.replicas,
                               .replicas = 0,
                               .uid = workload.uid,
                               .resource_version = workload.resource_version});
}

bool has_role(const Draft& draft, std::string_view revision) {
  const api::ModelDeploymentStatus& status = draft.status;
  const bool drains = std::any_of(status.draining.begin(), status.draining.end(),
                                  [&](const api::DrainingStatus& draining) { return draining.revision == revision; });
  return drains || (status.stable && status.stable->revision == revision) ||
         (status.canary && status.canary->revision == revision) || draft.share(revision) > 0;
}

// Deployments without a role beyond historyLimit, oldest first. One that this plan would have emptied is deleted
// instead: its pods end the same way.
void delete_old(Draft& draft) {
  std::vector<const Workload*> old;
  for (const Workload& workload : draft.observed.workloads) {
    const bool ours = workload.owner_uid == draft.observed.metadata.uid;
    if (ours && !has_role(draft, workload.revision)) old.push_back(&workload);
  }
  std::sort(old.begin(), old.end(), [](const Workload* a, const Workload* b) {
    return a->created != b->created ? a->created > b->created : a->revision > b->revision;
  });
  const size_t keep = static_cast<size_t>(std::max(0, draft.rollout().history_limit));
  for (size_t i = keep; i < old.size(); ++i) {
    std::erase_if(draft.plan.scales, [&](const ScaleWorkload& scale) { return scale.revision == old[i]->revision; });
    draft.plan.deletes.push_back(
        {.revision = old[i]->revision, .uid = old[i]->uid, .resource_version = old[i]->resource_version});
  }
}

}  // namespace

void plan_draining(Draft& draft) {
  auto& draining = draft.status.draining;
  std::erase_if(draining, [&](api::DrainingStatus& entry) {
    const Workload* workload = draft.workload(entry.revision);
    const bool empty = workload == nullptr || workload->replicas == 0;
    if (empty) return unreachable_now(draft, entry.revision);
    if (!is_drained(draft, entry)) return false;
    // Should the executor not get to it, the Deployment is a stray at the next look and drains again.
    scale_to_zero(draft, *workload);
    return true;
  });
  delete_old(draft);
}

}  // namespace tidegate::rollout
