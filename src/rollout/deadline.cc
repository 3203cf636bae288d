#include "rollout/deadline.h"

namespace tidegate::rollout {
namespace {

bool clock_runs(const Draft& draft) {
  switch (draft.findings.wait) {
    case Wait::kReplicas: return true;
    // Proxies that came after the weight was verified (a new gateway pod) are no reason against the canary.
    case Wait::kProxies: return !draft.status.canary->measure_from.has_value();
    default: return false;
  }
}

}  // namespace

bool progress_deadline_passed(Draft& draft) {
  api::CanaryStatus& canary = *draft.status.canary;
  const absl::Time last_progress = canary.last_progress.value_or(canary.started.value_or(draft.now()));
  if (!clock_runs(draft)) {
    if (!canary.paused_since) canary.paused_since = draft.now();
    return false;
  }
  if (canary.paused_since) {
    // What was spent standing does not count. last_progress may lie within the pause.
    const absl::Time stood_from = std::max(*canary.paused_since, last_progress);
    canary.last_progress = last_progress + (draft.now() - stood_from);
    canary.paused_since.reset();
  }
  const absl::Time deadline = canary.last_progress.value_or(last_progress) + draft.rollout().progress_deadline;
  if (draft.now() >= deadline) return true;
  draft.look_again_at(deadline);
  return false;
}

}  // namespace tidegate::rollout
