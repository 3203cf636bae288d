#include "rollout/plan.h"

#include <absl/strings/str_join.h>

#include "base/strings.h"
#include "rollout/deadline.h"
#include "rollout/planners.h"
#include "rollout/verification.h"

namespace tidegate::rollout {
namespace {

using base::cat;

// Everything but the numbers that every look changes: what was measured (the first undecided results of a step say no
// more than none), and how many replicas are available, where nothing follows from it.
api::ModelDeploymentStatus without_numbers(api::ModelDeploymentStatus status) {
  status.summary.clear();
  std::erase_if(status.analysis, [](const auto& result) { return result.verdict == api::Verdict::kUndecided; });
  for (api::AnalysisResult& result : status.analysis) {
    result = {.check = result.check, .verdict = result.verdict};
  }
  for (api::Condition& condition : status.conditions) {
    condition.message.clear();
    if (condition.reason == kMeasuringReason) condition.reason = kNoMeasurementsReason;
  }
  if (status.stable) status.stable->available = 0;
  if (status.canary) {
    status.canary->available = 0;
    status.canary->last_progress.reset();
  }
  return status;
}

// What it does, without what it says of it.
api::ModelDeploymentStatus without_words(api::ModelDeploymentStatus status) {
  status = without_numbers(std::move(status));
  status.phase = {};
  status.conditions.clear();
  status.observed_generation = 0;
  return status;
}

// The model that a new spec asks for is being looked for, since a moment ago.
bool will_know_soon(const Draft& draft) {
  const Observed& observed = draft.observed;
  return !observed.wanted && !observed.resolve_error && observed.resolving_since &&
         draft.now() < *observed.resolving_since + kResolvingShownAfter;
}

// Numbers alone are written each kStatusNumbersPeriod at most, and that a model is being looked for only when that
// takes long; until then the status stays as it is.
void settle_status(Draft& draft) {
  const api::ModelDeploymentStatus& before = draft.observed.status;
  if (draft.status == before) return;
  if (will_know_soon(draft) && without_words(draft.status) == without_words(before)) {
    draft.status = before;
    draft.look_again_at(*draft.observed.resolving_since + kResolvingShownAfter);
    return;
  }
  const auto& written = draft.observed.status_written;
  const bool recent = written && draft.now() < *written + kStatusNumbersPeriod;
  if (recent && without_numbers(draft.status) == without_numbers(before)) {
    draft.status = before;
    draft.look_again_at(*written + kStatusNumbersPeriod);
    return;
  }
  draft.plan.status_changed = true;
}

std::string address(const Observed& observed) {
  return cat("http://", observed.metadata.name, ".", observed.metadata.namespace_, ".svc");
}

Plan stopped(const Observed& observed) {
  Plan plan;
  plan.status = observed.status;
  plan.stop = observed.leader_epoch == 0 ? cat("this replica does not hold the lease; the leader of epoch ",
                                               observed.status.leader_epoch, " looks after the object")
                                         : cat("a later leader (epoch ", observed.status.leader_epoch,
                                               ") has written the status; this replica's leadership (epoch ",
                                               observed.leader_epoch, ") is over");
  return plan;
}

Plan nothing_to_do(const Observed& observed) {
  Plan plan;
  plan.status = observed.status;
  return plan;
}

const char* type_name(EventType type) { return type == EventType::kNormal ? "Normal" : "Warning"; }

}  // namespace

Plan plan(const Observed& observed) {
  if (observed.status.leader_epoch > observed.leader_epoch) return stopped(observed);
  // The route goes with the object, the pods by their owner references: no child is touched, the weights stay.
  if (observed.metadata.deletion_timestamp) return nothing_to_do(observed);
  Draft draft(observed);
  draft.findings.verification = verify(observed);
  draft.status.address = address(observed);
  draft.status.selector = cat("tidegate.dev/deployment=", observed.metadata.name);
  plan_commands(draft);
  plan_roles(draft);
  plan_first_deployment(draft);
  plan_canary(draft);
  plan_traffic(draft);
  settle_deadline_clock(draft);
  plan_draining(draft);
  plan_workloads(draft);
  plan_conditions(draft);
  settle_status(draft);
  return std::move(draft.plan);
}

std::string Plan::to_string() const {
  if (!stop.empty()) return cat("stop: ", stop, "\n");
  std::string text = cat("summary: ", status.summary, "\n");
  if (status_changed) text += cat("write status\n");
  text += cat("traffic: ",
              absl::StrJoin(status.traffic, ", ",
                            [](std::string* out, const api::TrafficShare& share) {
                              *out += cat(share.revision, "=", share.weight);
                            }),
              "\n");
  for (const CreateWorkload& item : creates) text += cat("create ", item.revision, " × ", item.replicas, "\n");
  for (const ScaleWorkload& item : scales) {
    text += cat("scale ", item.revision, " ", item.from, " → ", item.replicas, "\n");
  }
  for (const DeleteWorkload& item : deletes) text += cat("delete ", item.revision, "\n");
  for (const Event& item : events) {
    text += cat("event ", type_name(item.type), " ", item.reason, ": ", item.message, "\n");
  }
  for (const Notification& item : notifications) text += cat("notify ", item.reason, ": ", item.text, "\n");
  if (requeue_after) text += cat("again in ", absl::FormatDuration(*requeue_after), "\n");
  return text;
}

}  // namespace tidegate::rollout
