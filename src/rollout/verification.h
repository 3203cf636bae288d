#pragma once
// Whether the proxies have what status.traffic says. Used by the planners.
#include "rollout/draft.h"

namespace tidegate::rollout {

// For the shares as observed.
Verification verify(const Observed& observed);

// Whether every proxy that is waited for has applied what was written at `resource_version`, or later, and goes by it.
bool all_have_applied(const Observed& observed, uint64_t resource_version);

// Every proxy has the shares as observed, in which the revision has none: its time to drain begins.
void confirm_zero(const Draft& draft, api::DrainingStatus& draining);

}  // namespace tidegate::rollout
