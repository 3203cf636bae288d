// Phase and conditions, from the finished draft. kstatus holds: Ready is false or unknown while anything is under way,
// Reconciling and Stalled are there to be true only when something is.
#include <absl/strings/str_join.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/strings.h"
#include "rollout/planners.h"
#include "rollout/runtime_failure.h"
#include "rollout/stage.h"
#include "rollout/text.h"

namespace tidegate::rollout {
namespace {

using base::cat;

using api::ConditionStatus;
using api::Phase;

struct Said {
  ConditionStatus status = ConditionStatus::kUnknown;
  std::string reason;
  std::string message;
};

Said yes(std::string reason, std::string message) {
  return {ConditionStatus::kTrue, std::move(reason), std::move(message)};
}
Said no(std::string reason, std::string message) {
  return {ConditionStatus::kFalse, std::move(reason), std::move(message)};
}
Said unknown(std::string reason, std::string message) {
  return {ConditionStatus::kUnknown, std::move(reason), std::move(message)};
}

bool waits_for_person(Wait wait) {
  return wait == Wait::kSpecPaused || wait == Wait::kFrozen || wait == Wait::kStepPause;
}

bool spec_is_stable(const Draft& draft) {
  return draft.observed.wanted && draft.status.stable &&
         draft.observed.wanted->revision == draft.status.stable->revision;
}

Phase phase_of(const Draft& draft) {
  const auto& status = draft.status;
  if (!status.stable) {
    if (draft.findings.deadline_exceeded) return Phase::kDegraded;
    if (!status.canary) return draft.observed.spec.paused ? Phase::kPaused : Phase::kPending;
    const Workload* workload = draft.workload(status.canary->revision);
    return workload != nullptr && fatal_failure(*workload) ? Phase::kDegraded : Phase::kProgressing;
  }
  if (status.stable->available == 0 && draft.desired() > 0) return Phase::kDegraded;
  if (waits_for_person(draft.findings.wait)) return Phase::kPaused;
  if (status.canary) return Phase::kProgressing;
  if (draft.wanted_quarantine() != nullptr) return Phase::kRolledBack;
  if (!spec_is_stable(draft)) return draft.observed.wanted ? Phase::kProgressing : Phase::kPending;
  const bool complete = status.stable->available >= draft.desired() && draft.findings.verification.complete;
  return complete ? Phase::kHealthy : Phase::kProgressing;
}

Said model_resolved(const Draft& draft) {
  if (const auto& error = draft.observed.resolve_error) return no(error->reason, error->message);
  if (!draft.observed.wanted) return unknown("Resolving", "the store has not been read yet");
  const WantedRevision& wanted = *draft.observed.wanted;
  return yes("Resolved", cat(version_name(wanted.version), " is revision ", wanted.revision));
}

Said runtime_ready(const Draft& draft) {
  if (const auto* entry = draft.wanted_quarantine(); entry != nullptr && is_runtime_reason(entry->reason)) {
    return no(entry->reason, entry->message);
  }
  if (const auto& error = draft.observed.create_error) {
    return no("CreateFailed", cat("the Deployment ", error->revision, " was refused: ", error->message));
  }
  const auto& status = draft.status;
  if (!status.canary && !status.stable) return unknown("NotStarted", "no revision has been started");
  const std::string& revision = status.canary ? status.canary->revision : status.stable->revision;
  const int available = status.canary ? status.canary->available : status.stable->available;
  const Workload* workload = draft.workload(revision);
  if (workload != nullptr) {
    if (const auto failure = any_failure(*workload)) return no(failure->reason, failure->message);
  }
  if (available > 0) return yes("Serving", cat(revision, " serves with ", replicas(available)));
  return unknown("Starting", cat(revision, " has no available replica yet"));
}

Said capacity_available(const Draft& draft) {
  if (draft.findings.wait == Wait::kNoSurge) return no("SurgeForbidden", draft.findings.wait_message);
  if (!draft.findings.unschedulable.empty()) return no("Unschedulable", draft.findings.unschedulable);
  return yes("Scheduled", "every pod has a place");
}

Said traffic_verified(const Draft& draft) {
  const Verification& verification = draft.findings.verification;
  std::string aside;
  if (!verification.excluded.empty()) {
    aside = cat("; not waited for because unreachable: ", absl::StrJoin(verification.excluded, ", "));
  }
  if (draft.status.traffic.empty()) return unknown("NoTraffic", "nothing serves yet");
  if (!verification.rejection.empty()) {
    return no("Rejected", cat("a gateway refused the configuration: ", verification.rejection, aside));
  }
  if (const auto& error = draft.observed.traffic_error) return no(error->reason, cat(error->message, aside));
  if (verification.complete) return yes("Verified", cat("every gateway has the weights", aside));
  if (verification.proxies == verification.excluded.size()) {
    return no("NoGateway", cat("no gateway pod is there to take the weights", aside));
  }
  return no("Programming", cat("waiting for ", absl::StrJoin(verification.behind, ", "), aside));
}

std::string need_and_eta(const StepVerdict& verdict) {
  if (!verdict.requests_needed) return "the present numbers themselves are beyond a limit";
  std::string text = cat("about ", grouped(*verdict.requests_needed), " more canary requests are needed");
  if (verdict.eta) text += cat(", ", duration(*verdict.eta), " at the present rate");
  return text;
}

// Measuring takes longer than the step may last: said from the first looks on, with the choices there are.
bool too_slow(const Draft& draft, const StepVerdict& verdict) {
  const auto& from = draft.status.canary->measure_from;
  if (!from || !verdict.eta) return false;
  return draft.now() + *verdict.eta > *from + draft.rollout().analysis.max_duration;
}

Said analysis_under_way(const Draft& draft) {
  const auto& verdict = draft.findings.verdict;
  if (draft.findings.wait == Wait::kInconclusive) {
    return unknown("Inconclusive", cat("no verdict within ", duration(draft.rollout().analysis.max_duration),
                                       "; still measuring: a pass goes on, a failure goes back",
                                       verdict ? "; " + need_and_eta(*verdict) : ""));
  }
  if (draft.rollout().analysis.checks.empty()) return unknown("NoChecks", "spec.rollout.analysis names no checks");
  if (draft.metrics_failing()) return unknown("MetricsUnavailable", draft.observed.measurement_error->message);
  if (!draft.status.canary->measure_from) return unknown("NotMeasuring", "no verified weight to measure at");
  if (!verdict) return unknown(kNoMeasurementsReason, "nothing has been measured at this weight yet");
  if (verdict->verdict == api::Verdict::kPass) return yes("Passing", "every check passes");
  if (too_slow(draft, *verdict)) {
    return unknown("NeedsMoreTraffic", cat(need_and_eta(*verdict), ", but the step ends after ",
                                           duration(draft.rollout().analysis.max_duration),
                                           ": choose a larger weight, looser limits or another onInconclusive"));
  }
  return unknown(kMeasuringReason, need_and_eta(*verdict));
}

Said analysis_passing(const Draft& draft) {
  if (const auto* entry = draft.wanted_quarantine()) return no(entry->reason, entry->message);
  if (!draft.status.canary || !draft.status.stable) return unknown("NoRollout", "no rollout is under way");
  if (draft.findings.wait == Wait::kStableDown) return no(kStableUnavailableReason, draft.findings.wait_message);
  if (!draft.status.canary->failure.empty()) return no(draft.status.canary->failure, draft.findings.wait_message);
  if (draft.status.canary->promoted) return unknown("Skipped", "a person asked to promote");
  return analysis_under_way(draft);
}

// Why the spec is not, and without a person or the world changing will not be, what runs; reason empty: it may be.
Said stall(const Draft& draft) {
  if (const auto* entry = draft.wanted_quarantine()) return yes(entry->reason, entry->message);
  const bool transient = draft.observed.resolve_error && draft.observed.resolve_error->reason == "StoreUnreachable";
  if (!draft.observed.wanted && draft.observed.resolve_error && !transient) {
    return yes(draft.observed.resolve_error->reason, draft.observed.resolve_error->message);
  }
  if (draft.findings.wait == Wait::kFrozen) return yes("Failed", draft.findings.wait_message);
  if (draft.findings.wait == Wait::kNoSurge) return yes("SurgeForbidden", draft.findings.wait_message);
  if (draft.findings.stable_cannot_heal) {
    return yes("StableLost", cat("Deployment ", draft.status.stable->revision,
                                 " is gone and the spec describes another revision; ask for ",
                                 version_name(draft.status.stable->version), " to make it again"));
  }
  if (draft.findings.deadline_exceeded) {
    return yes("ProgressDeadlineExceeded",
               cat("nothing became available within ", duration(draft.rollout().progress_deadline), ": ",
                   draft.findings.wait_message));
  }
  if (!draft.status.stable && draft.status.phase == Phase::kDegraded) {
    const Said runtime = runtime_ready(draft);
    return yes(runtime.reason, runtime.message);
  }
  return no("NotStalled", "");
}

Said ready(const Draft& draft, const Said& stalled) {
  switch (draft.status.phase) {
    case Phase::kHealthy:
      return yes("Healthy", cat(version_name(draft.status.stable->version), " serves all traffic"));
    case Phase::kDegraded:
      return no(stalled.status == ConditionStatus::kTrue ? stalled.reason : "Unavailable", draft.status.summary);
    case Phase::kRolledBack:
      return no("RolledBack", draft.status.summary);
    default:
      break;
  }
  if (stalled.status == ConditionStatus::kTrue) return no(stalled.reason, stalled.message);
  return unknown("Progressing", draft.status.summary);
}

Said reconciling(const Draft& draft, const Said& stalled) {
  const Phase phase = draft.status.phase;
  if (phase == Phase::kHealthy || phase == Phase::kRolledBack || stalled.status == ConditionStatus::kTrue) {
    return no("Settled", "");
  }
  return yes(phase == Phase::kPaused ? "Paused" : "Progressing", draft.status.summary);
}

void set(Draft& draft, std::vector<api::Condition>& next, const char* type, Said said) {
  api::Condition condition{.type = type,
                           .status = said.status,
                           .reason = std::move(said.reason),
                           .message = std::move(said.message),
                           .last_transition_time = draft.now(),
                           .observed_generation = draft.observed.metadata.generation};
  for (const api::Condition& former : draft.observed.status.conditions) {
    if (former.type == type && former.status == condition.status) {
      condition.last_transition_time = former.last_transition_time;
    }
  }
  next.push_back(std::move(condition));
}

void find_unschedulable(Draft& draft) {
  const auto look_at = [&](const auto& role) {
    if (!role || !draft.findings.unschedulable.empty()) return;
    const Workload* workload = draft.workload(role->revision);
    if (workload == nullptr) return;
    const std::string words = unschedulable_message(*workload);
    if (words.empty()) return;
    draft.findings.unschedulable =
        cat(role->available, " of ", replicas(role->replicas), " of ", role->revision, " run; ", words);
  };
  look_at(draft.status.canary);
  look_at(draft.status.stable);
}

bool had_reason(const Draft& draft, const char* type, const char* reason) {
  const auto& conditions = draft.observed.status.conditions;
  return std::any_of(conditions.begin(), conditions.end(), [&](const api::Condition& condition) {
    return condition.type == type && condition.reason == reason;
  });
}

// What a person should hear once, at the look at which it begins.
void tell_beginnings(Draft& draft) {
  const api::ModelDeploymentStatus& before = draft.observed.status;
  if (draft.findings.wait == Wait::kInconclusive && !had_reason(draft, api::kAnalysisPassing, "Inconclusive")) {
    draft.event(EventType::kWarning, "Held", draft.status.summary);
    draft.notify("Held", draft.status.summary);
  }
  if (draft.status.phase == Phase::kDegraded && before.phase != Phase::kDegraded) {
    draft.event(EventType::kWarning, "Degraded", draft.status.summary);
    draft.notify("Degraded", draft.status.summary);
  }
  if (draft.status.phase == Phase::kHealthy && before.phase != Phase::kHealthy) {
    draft.event(EventType::kNormal, "Healthy", draft.status.summary);
  }
  if (draft.wanted_quarantine() != nullptr && before.observed_generation != draft.observed.metadata.generation) {
    draft.event(EventType::kWarning, "Quarantined", draft.status.summary);
  }
}

}  // namespace

void plan_conditions(Draft& draft) {
  find_unschedulable(draft);
  api::ModelDeploymentStatus& status = draft.status;
  status.phase = phase_of(draft);
  status.summary = summarize(draft);
  const Said stalled = stall(draft);
  std::vector<api::Condition> next;
  set(draft, next, api::kReady, ready(draft, stalled));
  set(draft, next, api::kReconciling, reconciling(draft, stalled));
  set(draft, next, api::kStalled, stalled);
  set(draft, next, api::kModelResolved, model_resolved(draft));
  set(draft, next, api::kRuntimeReady, runtime_ready(draft));
  set(draft, next, api::kCapacityAvailable, capacity_available(draft));
  set(draft, next, api::kTrafficVerified, traffic_verified(draft));
  set(draft, next, api::kAnalysisPassing, analysis_passing(draft));
  tell_beginnings(draft);
  status.conditions = std::move(next);
  status.observed_generation = draft.observed.metadata.generation;
}

}  // namespace tidegate::rollout
