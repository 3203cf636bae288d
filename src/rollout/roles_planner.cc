// Who is who after the spec was looked at: stable stays what it is until another revision was promoted; the canary is
// whatever the spec wants and stable is not.

#include "base/strings.h"
#include "rollout/planners.h"
#include "rollout/transitions.h"

namespace tidegate::rollout {
namespace {

using base::cat;

bool is_stable(const Draft& draft, std::string_view revision) {
  return draft.status.stable && draft.status.stable->revision == revision;
}

bool is_canary(const Draft& draft, std::string_view revision) {
  return draft.status.canary && draft.status.canary->revision == revision;
}

void stand_down(Draft& draft, std::string message) {
  end_rollout(draft, {.outcome = api::Outcome::kReplaced,
                      .reason = "Replaced",
                      .message = std::move(message),
                      .by = "Spec",
                      .quarantine = false});
}

void follow_spec(Draft& draft, const WantedRevision& wanted) {
  if (is_canary(draft, wanted.revision)) return;
  if (draft.status.canary) {
    stand_down(draft, cat("the spec asks for ", version_name(wanted.version), " now"));
  }
  if (is_stable(draft, wanted.revision) || draft.wanted_quarantine() != nullptr) return;
  if (draft.observed.spec.paused) return draft.wait_for(Wait::kSpecPaused);
  if (draft.desired() == 0 && draft.status.stable) return draft.wait_for(Wait::kNoReplicasWanted);
  begin_rollout(draft, wanted);
}

// A Deployment of ours that still asks for pods and has no role: left by a crash between two writes, or by a person.
void drain_strays(Draft& draft) {
  for (const Workload& workload : draft.observed.workloads) {
    if (workload.owner_uid != draft.observed.metadata.uid || workload.replicas == 0) continue;
    if (is_stable(draft, workload.revision) || is_canary(draft, workload.revision)) continue;
    drain(draft, workload.revision, workload.version);
  }
}

void refresh(Draft& draft) {
  const auto copy_facts = [&](auto& role) {
    const Workload* workload = draft.workload(role.revision);
    role.available = workload == nullptr ? 0 : workload->available;
    if (workload != nullptr && role.digest.empty()) role.digest = workload->content_digest;
  };
  if (draft.status.stable) copy_facts(*draft.status.stable);
  if (draft.status.canary) {
    const int before = draft.status.canary->available;
    copy_facts(*draft.status.canary);
    if (draft.status.canary->available > before) draft.status.canary->last_progress = draft.now();
  }
}

}  // namespace

void plan_roles(Draft& draft) {
  if (draft.observed.wanted) {
    follow_spec(draft, *draft.observed.wanted);
  } else {
    draft.wait_for(Wait::kUnresolved);
  }
  drain_strays(draft);
  refresh(draft);
}

}  // namespace tidegate::rollout
