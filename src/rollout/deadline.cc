#include "rollout/deadline.h"

#include <algorithm>

namespace tidegate::rollout {
namespace {

bool clock_runs(const Draft& draft) {
  switch (draft.findings.wait) {
    case Wait::kReplicas:
      return true;
    // Proxies that came after the weight was verified (a new gateway pod) are no reason against the canary.
    case Wait::kProxies:
      return !draft.status.canary->measure_from.has_value();
    default:
      return false;
  }
}

// The last progress, moved on by what the clock stood still since.
absl::Time effective_progress(const Draft& draft) {
  const api::CanaryStatus& canary = *draft.status.canary;
  const absl::Time last = canary.last_progress.value_or(canary.started.value_or(draft.now()));
  if (!canary.paused_since) return last;
  return last + (draft.now() - std::max(*canary.paused_since, last));
}

absl::Time deadline(const Draft& draft) { return effective_progress(draft) + draft.rollout().progress_deadline; }

}  // namespace

bool progress_deadline_passed(const Draft& draft) { return clock_runs(draft) && draft.now() >= deadline(draft); }

void settle_deadline_clock(Draft& draft) {
  if (!draft.status.canary) return;
  api::CanaryStatus& canary = *draft.status.canary;
  if (!clock_runs(draft)) {
    if (!canary.paused_since) canary.paused_since = draft.now();
    return;
  }
  canary.last_progress = effective_progress(draft);
  canary.paused_since.reset();
  if (draft.now() < deadline(draft)) draft.look_again_at(deadline(draft));
}

}  // namespace tidegate::rollout
