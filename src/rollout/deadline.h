#pragma once
// The progress deadline's clock (rule 16): it runs while a rollout waits for replicas or for proxies, and stands while
// it waits for a person, for capacity, for stable to recover or for measurements. Used by the planners.
#include "rollout/draft.h"

namespace tidegate::rollout {

// Stops or starts status.canary's clock according to the draft's wait; true when the deadline has passed. Call once,
// when the wait is known.
bool progress_deadline_passed(Draft& draft);

}  // namespace tidegate::rollout
