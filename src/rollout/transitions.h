#pragma once
// The moments at which a rollout begins or ends: the status, history, event and notification of each, in one place.
// Used by the planners.
#include <string>
#include <string_view>

#include "rollout/draft.h"

namespace tidegate::rollout {

// Why a rollout ended without being promoted.
struct Ending {
  api::Outcome outcome = api::Outcome::kRolledBack;
  std::string reason;   // CamelCase: ChecksFailed, ModelLoadFailed, Aborted, …
  std::string message;  // one sentence
  std::string by;       // Analysis, Deadline, Runtime, Person, Spec
  bool quarantine = true;
};

// The wanted revision becomes the canary (without a stable revision: the first deployment).
void begin_rollout(Draft& draft, const WantedRevision& wanted);

// The canary is no longer one: its weight is gone from this plan's shares on, its pods follow when no proxy can send
// there (rule 4).
void end_rollout(Draft& draft, const Ending& ending);

// The canary is the new stable; a former one drains.
void promote_canary(Draft& draft, std::string_view by, std::string message);

// Puts a revision on the way out; again does nothing.
void drain(Draft& draft, std::string_view revision, std::string_view version);

}  // namespace tidegate::rollout
