#include "rollout/replica_wait.h"

#include <algorithm>

#include "base/strings.h"
#include "rollout/runtime_failure.h"
#include "rollout/stage.h"
#include "rollout/text.h"

namespace tidegate::rollout {

using base::cat;

bool foreign_workload(const Draft& draft, std::string_view revision) {
  const auto& workloads = draft.observed.workloads;
  return std::any_of(workloads.begin(), workloads.end(), [&](const Workload& workload) {
    return workload.revision == revision && workload.owner_uid != draft.observed.metadata.uid;
  });
}

void wait_for_replicas(Draft& draft, int required) {
  const api::CanaryStatus& canary = *draft.status.canary;
  if (foreign_workload(draft, canary.revision)) {
    return draft.wait_for(
        Wait::kForeignWorkload,
        cat("Deployment ", canary.revision, " belongs to a deleted object of this name; waiting until it is gone"));
  }
  if (draft.status.stable && surge_impossible(draft)) {
    return draft.wait_for(Wait::kNoSurge,
                          "surge is Never and the only replica holds the device; set surge: Auto or replicas ≥ 2");
  }
  const Workload* workload = draft.workload(canary.revision);
  const std::string words = workload == nullptr ? "" : unschedulable_message(*workload);
  if (!words.empty()) return draft.wait_for(Wait::kCapacity, words);
  const auto failure = workload == nullptr ? std::nullopt : any_failure(*workload);
  std::string message = cat(canary.available, " of ", replicas(required), " available");
  if (failure) message += cat("; ", failure->reason, ": ", failure->message);
  draft.wait_for(Wait::kReplicas, std::move(message));
}

}  // namespace tidegate::rollout
