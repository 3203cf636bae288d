// The first deployment: nothing serves yet, so nothing is compared. It gets all traffic with its first available
// replica, and nothing takes it back, for there is nothing to go back to.
#include "rollout/deadline.h"
#include "rollout/planners.h"
#include "rollout/replica_wait.h"
#include "rollout/transitions.h"

namespace tidegate::rollout {

void plan_first_deployment(Draft& draft) {
  if (!draft.status.canary || draft.status.stable) return;
  if (draft.desired() == 0) {
    draft.wait_for(Wait::kNoReplicasWanted, "waiting for spec.replicas to be more than 0");
  } else if (draft.status.canary->available > 0) {
    promote_canary(draft, "FirstDeployment", "the first deployment; its first replica serves");
    return;
  }
  wait_for_replicas(draft, draft.desired());
  draft.findings.deadline_exceeded = progress_deadline_passed(draft);
}

}  // namespace tidegate::rollout
