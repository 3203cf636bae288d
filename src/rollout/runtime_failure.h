#pragma once
// What the pods of a revision say about it. Used by the planners.
#include <optional>
#include <string>

#include "rollout/observed.h"

namespace tidegate::rollout {

struct RuntimeFailure {
  std::string reason;
  std::string message;  // names the pod, and what it said
};

// A failure that waiting does not mend: the model does not load, the runtime ends again and again, or (while none of
// its pods serves) the artefact is not what was resolved. nullopt: none, or one that may pass.
std::optional<RuntimeFailure> fatal_failure(const Workload& workload);

// The first failure of any kind but the scheduler's, for the conditions.
std::optional<RuntimeFailure> any_failure(const Workload& workload);

// The scheduler's words; empty: every pod has a place.
std::string unschedulable_message(const Workload& workload);

// Whether a reason of status.quarantined came from fatal_failure.
bool is_runtime_reason(std::string_view reason);

}  // namespace tidegate::rollout
