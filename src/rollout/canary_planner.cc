// The canary beside a stable revision: is it failing, is enough known, may it go a step further? Weights follow in the
// traffic planner, from status.canary.step and what is available.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "rollout/deadline.h"
#include "rollout/planners.h"
#include "rollout/replica_wait.h"
#include "rollout/runtime_failure.h"
#include "rollout/stage.h"
#include "rollout/text.h"
#include "rollout/transitions.h"

namespace tidegate::rollout {
namespace {

using base::cat;

constexpr char kChecksFailed[] = "ChecksFailed";
constexpr char kInconclusiveReason[] = "Inconclusive";
constexpr char kDeadlineReason[] = "ProgressDeadlineExceeded";

struct Failure {
  std::string reason;
  std::string message;
  std::string by;
};

// Going back needs somewhere to go: while stable serves nothing, a canary that serves something keeps doing so.
bool can_go_back(const Draft& draft) {
  const api::CanaryStatus& canary = *draft.status.canary;
  return draft.share(canary.revision) == 0 || canary.available == 0 || draft.status.stable->available > 0;
}

void take_back(Draft& draft, const Failure& failure) {
  end_rollout(draft, {.outcome = failure.reason == kAborted ? api::Outcome::kAborted : api::Outcome::kRolledBack,
                      .reason = failure.reason,
                      .message = failure.message,
                      .by = failure.by,
                      .quarantine = true});
}

void freeze(Draft& draft, const Failure& failure) {
  draft.insist_on_wait(Wait::kFrozen, failure.message);
  api::CanaryStatus& canary = *draft.status.canary;
  if (!canary.failure.empty()) return;
  canary.failure = failure.reason;
  std::string text = cat(version_name(canary.version), " failed at ", canary.weight, " %: ", failure.message,
                         "; weights are frozen (onFailure: Pause)");
  draft.event(EventType::kWarning, "Failed", text);
  draft.notify("Failed", std::move(text));
}

// The end of a failed canary, or what is done while it cannot end.
void handle(Draft& draft, const Failure& failure) {
  const bool aborted = failure.reason == kAborted;
  if (!aborted && draft.rollout().on_failure == api::OnFailure::kPause) return freeze(draft, failure);
  if (can_go_back(draft)) return take_back(draft, failure);
  draft.insist_on_wait(Wait::kStableDown, failure.message);
  api::CanaryStatus& canary = *draft.status.canary;
  const auto& before = draft.observed.status.canary;
  const bool told = before && before->revision == canary.revision && before->failure == failure.reason;
  canary.failure = failure.reason;
  if (told) return;
  draft.event(EventType::kWarning, "RollbackDeferred",
              cat(version_name(canary.version), " should be taken back (", failure.message,
                  "), but stable has no available replica: it keeps serving"));
}

const char* decider_of(const std::string& reason) {
  if (reason == kAborted) return "Person";
  if (reason == kDeadlineReason) return "Deadline";
  return reason == kChecksFailed || reason == kInconclusiveReason ? "Analysis" : "Runtime";
}

// What was decided at an earlier look and could not be done then. Its words are in the condition of that look.
std::optional<Failure> standing_failure(const Draft& draft) {
  const std::string& reason = draft.status.canary->failure;
  if (reason.empty()) return std::nullopt;
  std::string message = reason == kAborted ? "a person asked for it" : cat("failed with ", reason);
  for (const api::Condition& condition : draft.observed.status.conditions) {
    const bool about_it = condition.reason == reason || condition.reason == kStableUnavailableReason;
    if (condition.type == api::kAnalysisPassing && about_it) message = condition.message;
  }
  return Failure{reason, std::move(message), decider_of(reason)};
}

std::optional<Failure> runtime_failure(const Draft& draft) {
  const Workload* workload = draft.workload(draft.status.canary->revision);
  if (workload == nullptr) return std::nullopt;
  const auto failure = fatal_failure(*workload);
  if (!failure) return std::nullopt;
  return Failure{failure->reason, failure->message, "Runtime"};
}

// Measurements of the present weights, and of nothing else (rule 8).
const Measurements* usable_measurements(const Draft& draft) {
  const api::CanaryStatus& canary = *draft.status.canary;
  const auto& measurements = draft.observed.measurements;
  if (!canary.measure_from || !measurements || measurements->canary_revision != canary.revision) return nullptr;
  return measurements->from >= *canary.measure_from ? &*measurements : nullptr;
}

void judge_step(Draft& draft, const Stage& stage) {
  const Measurements* measurements = usable_measurements(draft);
  // Without checks there is no analysis to wait for.
  if (measurements == nullptr || draft.rollout().analysis.checks.empty()) return;
  const int steps = static_cast<int>(draft.rollout().steps.size());
  // While the next stage's replicas start, the weight and what is measured are still the former step's.
  const int measured_step = draft.status.canary->weight == stage.weight ? stage.index : stage.index - 1;
  const bool last_step = measured_step >= steps - 1;
  StepVerdict verdict = judge(draft.rollout().analysis, steps, last_step, *measurements);
  // What passes by numbers that have stopped coming has to wait; what fails by them has failed.
  const bool stale = draft.metrics_failing() || draft.now() - measurements->until > kMeasurementsStaleAfter;
  if (stale && verdict.verdict == api::Verdict::kPass) verdict.verdict = api::Verdict::kUndecided;
  forecast(draft.rollout().analysis, steps, last_step, *measurements, verdict);
  draft.findings.verdict = std::move(verdict);
  draft.status.analysis = draft.findings.verdict->checks;
}

bool inconclusive(const Draft& draft) {
  const auto& from = draft.status.canary->measure_from;
  return from && draft.now() - *from >= draft.rollout().analysis.max_duration;
}

// Whether the analysis lets the step be left now; else what is waited for.
bool analysis_lets_pass(Draft& draft) {
  if (draft.rollout().analysis.checks.empty()) return true;
  if (draft.findings.verdict && draft.findings.verdict->verdict == api::Verdict::kPass) return true;
  const absl::Time give_up = *draft.status.canary->measure_from + draft.rollout().analysis.max_duration;
  if (!inconclusive(draft)) {
    draft.look_again_at(give_up);
    draft.wait_for(Wait::kMeasuring);
    return false;
  }
  if (draft.rollout().analysis.on_inconclusive == api::OnInconclusive::kPromote) return true;
  draft.wait_for(Wait::kInconclusive);
  return false;
}

bool hold_is_over(Draft& draft, const Stage& stage) {
  const absl::Time until =
      *draft.status.canary->measure_from + draft.rollout().steps[static_cast<size_t>(stage.index)].hold;
  if (draft.now() >= until) return true;
  draft.look_again_at(until);
  draft.wait_for(Wait::kHold, absl::FormatTime(absl::RFC3339_sec, until, absl::UTCTimeZone()));
  return false;
}

bool pause_is_over(Draft& draft, const Stage& stage) {
  const auto& step = draft.rollout().steps[static_cast<size_t>(stage.index)];
  if (!step.pause || draft.status.canary->resumed_step == stage.index) return true;
  draft.wait_for(Wait::kStepPause);
  return false;
}

// Reasons outside the canary's own measurements that keep it where it is.
bool may_go_on(Draft& draft, const Stage& stage) {
  if (draft.observed.spec.paused) draft.wait_for(Wait::kSpecPaused);
  if (!draft.observed.wanted) draft.wait_for(Wait::kUnresolved);
  if (draft.desired() == 0) draft.wait_for(Wait::kNoReplicasWanted);
  // A person who says promote has seen stable; what counts then is that the canary is all there.
  const bool promoted = draft.status.canary->promoted;
  if (!promoted && draft.status.stable->available < stage.stable_replicas) draft.wait_for(Wait::kStableWeak);
  return draft.findings.wait == Wait::kNothing;
}

void enter_next_step(Draft& draft, const Stage& stage) {
  api::CanaryStatus& canary = *draft.status.canary;
  canary.step = stage.index + 1;
  canary.last_progress = draft.now();
  std::string message = cat(version_name(canary.version), " passed step ", stage.index, " at ", canary.weight, " %");
  for (const api::AnalysisResult& check : draft.status.analysis) message += cat("; ", check.message);
  draft.event(EventType::kNormal, "StepPassed", std::move(message));
}

// One step at a time: the weight is given when the replicas are there, left when everything lets it pass.
void advance(Draft& draft, const Stage& stage) {
  api::CanaryStatus& canary = *draft.status.canary;
  const bool go_on = may_go_on(draft, stage);
  if (canary.available < stage.required) return wait_for_replicas(draft, stage.required);
  if (!go_on) return;
  if (!canary.step) canary.step = stage.index;
  if (canary.weight != stage.weight) return;  // the traffic planner writes it in this plan
  if (!draft.findings.verification.complete) return draft.wait_for(Wait::kProxies);
  if (stage.final || !canary.measure_from) return;  // the traffic planner ends the rollout, or begins to measure
  if (analysis_lets_pass(draft) && hold_is_over(draft, stage) && pause_is_over(draft, stage)) {
    enter_next_step(draft, stage);
    advance(draft, stage_of(draft));
  }
}

// The last step that gives no more than `weight`; the first one if all give more.
int step_of(const std::vector<int>& weights, int weight) {
  int step = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= weight) step = static_cast<int>(i);
  }
  return step;
}

// Whether the steps up to the one under way are what they were; of one that has passed all, all.
bool same_so_far(const std::vector<int>& before, const std::vector<int>& weights, size_t step) {
  const size_t count = std::min(step + 1, before.size());
  return count <= weights.size() &&
         std::equal(before.begin(), before.begin() + static_cast<ptrdiff_t>(count), weights.begin());
}

// Steps may be edited while one is under way: then the weight says where the canary is, and no step counts as passed
// that it has not passed.
void follow_edited_steps(Draft& draft) {
  api::CanaryStatus& canary = *draft.status.canary;
  std::vector<int> weights;
  for (const api::RolloutStep& step : draft.rollout().steps) weights.push_back(step.weight);
  const std::vector<int> before = std::exchange(canary.step_weights, weights);
  if (!canary.step || canary.promoted || weights.empty() || canary.weight == 100) return;
  if (same_so_far(before, weights, static_cast<size_t>(*canary.step))) return;
  canary.step = step_of(weights, canary.weight);
  canary.resumed_step.reset();
}

std::optional<Failure> find_failure(Draft& draft) {
  if (auto standing = standing_failure(draft)) return standing;
  if (auto runtime = runtime_failure(draft)) return runtime;
  const auto& verdict = draft.findings.verdict;
  const api::CanaryStatus& canary = *draft.status.canary;
  if (canary.promoted) return std::nullopt;
  if (verdict && verdict->verdict == api::Verdict::kFail) return Failure{kChecksFailed, verdict->failure, "Analysis"};
  // A new leader has not opened its window for a moment: that says nothing of the version.
  const bool judged = verdict || draft.metrics_failing();
  if (judged && inconclusive(draft) && draft.rollout().analysis.on_inconclusive == api::OnInconclusive::kRollback &&
      !(verdict && verdict->verdict == api::Verdict::kPass)) {
    return Failure{kInconclusiveReason, cat("no verdict within ", duration(draft.rollout().analysis.max_duration)),
                   "Analysis"};
  }
  return std::nullopt;
}

}  // namespace

void plan_canary(Draft& draft) {
  if (!draft.status.canary || !draft.status.stable) return;
  follow_edited_steps(draft);
  const Stage stage = stage_of(draft);
  judge_step(draft, stage);
  if (const auto failure = find_failure(draft)) {
    handle(draft, *failure);
  } else {
    advance(draft, stage);
  }
  if (!draft.status.canary) return;
  if (draft.status.canary->measure_from) draft.look_again_at(draft.now() + kAnalysisPeriod);
  if (progress_deadline_passed(draft)) {
    handle(draft, {kDeadlineReason,
                   cat("no progress for ", duration(draft.rollout().progress_deadline), " (",
                       draft.findings.wait == Wait::kProxies ? std::string("the proxies did not confirm")
                                                             : draft.findings.wait_message,
                       ")"),
                   "Deadline"});
  }
}

}  // namespace tidegate::rollout
