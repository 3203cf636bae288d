#pragma once
// What a rollout waits for when its replicas are not there. Used by the planners.
#include "rollout/draft.h"

namespace tidegate::rollout {

// Says which it is: a namesake's Deployment in the way, no device to share, no place in the cluster, or pods that are
// not ready yet.
void wait_for_replicas(Draft& draft, int required);

// A Deployment of this name that belongs to a deleted object of the same name; it is never adopted.
bool foreign_workload(const Draft& draft, std::string_view revision);

}  // namespace tidegate::rollout
