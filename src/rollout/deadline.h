#pragma once
// The progress deadline's clock (rule 16): it runs while a rollout waits for replicas or for proxies, and stands while
// it waits for a person, for capacity, for stable to recover or for measurements. Used by the planners.
#include "rollout/draft.h"

namespace tidegate::rollout {

// Whether status.canary has made no progress for spec.rollout.progressDeadline of running clock.
bool progress_deadline_passed(const Draft& draft);

// Stops or starts the clock according to the draft's final wait, and asks for a look at the deadline.
void settle_deadline_clock(Draft& draft);

}  // namespace tidegate::rollout
