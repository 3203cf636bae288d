#pragma once
// Whether the proxies have what status.traffic says. Used by the planners.
#include "rollout/draft.h"

namespace tidegate::rollout {

// For the shares as observed.
Verification verify(const Observed& observed);

}  // namespace tidegate::rollout
