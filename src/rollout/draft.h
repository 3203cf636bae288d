#pragma once
// A plan in the making. plan() hands one Draft from planner to planner; each reads the Observed, changes the status to
// come and adds to the Plan. What a planner found out and the conditions planner must tell is kept in Findings. Used
// inside rollout only.
#include <absl/time/time.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"
#include "rollout/observed.h"
#include "rollout/plan.h"
#include "rollout/verdict.h"

namespace tidegate::rollout {

// Why the rollout does not go on at this instant. One at a time, the first that holds; the conditions and the summary
// are written from it.
enum class Wait {
  kNothing,
  kSpecPaused,        // spec.paused
  kUnresolved,        // the wanted revision is not known
  kNoReplicasWanted,  // spec.replicas is 0
  kFrozen,            // failed, and onFailure: Pause
  kStableDown,        // failed, but stable has no available replica to go back to
  kForeignWorkload,   // a Deployment of the revision's name belongs to a deleted namesake
  kNoSurge,           // surge: Never, and nothing of stable can be freed
  kCapacity,          // the scheduler finds no place
  kStableWeak,        // stable has fewer replicas available than it needs
  kReplicas,          // the canary's replicas are not available yet
  kProxies,           // the weight is written, not all proxies have it
  kMeasuring,         // not enough is known yet
  kHold,              // the step's hold is not over
  kStepPause,         // the step passed and waits for a person
  kInconclusive,      // maxDuration is over without a verdict, onInconclusive: Hold
};

// The reason of AnalysisPassing while a failed canary keeps serving for want of a stable replica.
inline constexpr char kStableUnavailableReason[] = "StableUnavailable";
// Its reasons before and after the first undecided result of a step.
inline constexpr char kNoMeasurementsReason[] = "NoMeasurements";
inline constexpr char kMeasuringReason[] = "Measuring";

// Whether all proxies have what status.traffic says.
struct Verification {
  bool complete = false;              // at least one proxy, and none behind
  std::vector<std::string> behind;    // names of those that exist and have not applied it
  std::vector<std::string> excluded;  // not waited for
  std::string rejection;              // a proxy's words
  size_t proxies = 0;
};

struct Findings {
  Verification verification;
  Wait wait = Wait::kNothing;
  std::string wait_message;            // completes the wait with what only its planner knows
  std::optional<StepVerdict> verdict;  // of the present step
  std::string unschedulable;           // the scheduler's words, for canary or stable
  bool deadline_exceeded = false;      // of a first deployment: there is nothing to go back to
  bool stable_cannot_heal = false;     // its Deployment is gone and the spec describes another revision
  bool served_by_fallback = false;     // stable has no available replica; another revision carries its share
};

class Draft {
 public:
  explicit Draft(const Observed& observed_in);

  const Observed& observed;
  Plan plan;                           // its status is the one to come
  api::ModelDeploymentStatus& status;  // plan.status
  Findings findings;

  absl::Time now() const { return observed.now; }
  const api::RolloutSpec& rollout() const { return observed.spec.rollout; }
  int desired() const { return observed.spec.replicas; }

  // The source of measurements has not answered for so long that it is told.
  bool metrics_failing() const;
  // This object's own Deployment of a revision (never a deleted namesake's); nullptr: there is none.
  const Workload* workload(std::string_view revision) const;
  int available(std::string_view revision) const;
  int share(std::string_view revision) const;  // in the status to come
  const api::QuarantinedRevision* quarantined(std::string_view revision) const;
  // The entry of the wanted revision, if that is why the spec is not followed; else nullptr.
  const api::QuarantinedRevision* wanted_quarantine() const;

  void event(EventType type, std::string_view reason, std::string message);
  void notify(std::string_view reason, std::string text);
  // The plan is to be made again at `time` at the latest.
  void look_again_at(absl::Time time);
  // The first wait of a plan is the one that is told, but for a failure's, which outweighs every other.
  void wait_for(Wait wait, std::string message = "");
  void insist_on_wait(Wait wait, std::string message);

 private:
  Draft(const Draft&) = delete;
};

// How a person calls a revision: `version 8`.
std::string version_name(std::string_view version);

}  // namespace tidegate::rollout
