#include "rollout/stage.h"

#include <algorithm>

#include "rollout/runtime_failure.h"

namespace tidegate::rollout {
namespace {

constexpr int kAll = 100;

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool has_accelerator(const Draft& draft) { return draft.observed.spec.accelerator.type != api::AcceleratorType::kNone; }

// Replicas that stable can do without while what is left still carries all traffic, by the measure of rule 3.
int spare_replicas(int desired) { return std::max(0, desired - replicas_to_carry(kAll, desired)); }

// surge: Auto asks for room first, and frees some of stable's when the scheduler has none. Freed ones stay freed until
// the rollout ends, or both versions would take turns at the same device.
bool frees_for_canary(const Draft& draft) {
  if (draft.rollout().surge != api::Surge::kAuto || !draft.status.stable) return false;
  const int former = draft.observed.status.stable ? draft.observed.status.stable->replicas : draft.desired();
  const bool freed_before = draft.observed.status.canary.has_value() && former > 0 && former < draft.desired();
  const Workload* workload = draft.workload(draft.status.canary->revision);
  return freed_before || (workload != nullptr && !unschedulable_message(*workload).empty());
}

// How many devices both revisions hold at once.
void share_accelerators(const Draft& draft, Stage& stage) {
  stage.stable_replicas = draft.desired();
  if (!has_accelerator(draft)) return;
  if (draft.rollout().surge == api::Surge::kNever) {
    // Never more than spec.replicas in all; the last one of stable goes when everything is off it.
    stage.replicas = std::max(0, std::min(stage.replicas, draft.desired() - 1));
    stage.required = std::max(1, std::min(stage.required, stage.replicas));
    stage.stable_replicas = draft.desired() - stage.replicas;
  } else if (frees_for_canary(draft)) {
    stage.stable_replicas = draft.desired() - std::min(stage.replicas, spare_replicas(draft.desired()));
  }
}

}  // namespace

int replicas_to_carry(int weight, int desired) {
  const int64_t share = static_cast<int64_t>(weight) * desired;
  return static_cast<int>(std::max<int64_t>(1, ceil_divide(share, kOverloadPercent)));
}

int weight_carried_by(int available, int desired) {
  if (available <= 0) return 0;
  if (desired <= 0) return kAll;
  const int64_t weight = static_cast<int64_t>(available) * kOverloadPercent / desired;
  return static_cast<int>(std::clamp<int64_t>(weight, 0, kAll));
}

int replicas_for(int weight, int desired) {
  return static_cast<int>(std::max<int64_t>(1, ceil_divide(static_cast<int64_t>(weight) * desired, kAll)));
}

int required_for(const Draft& draft, int weight) {
  for (const api::RolloutStep& step : draft.rollout().steps) {
    if (step.weight == weight && step.replicas) return *step.replicas;
  }
  return replicas_to_carry(weight, draft.desired());
}

bool surge_impossible(const Draft& draft) {
  return has_accelerator(draft) && draft.rollout().surge == api::Surge::kNever && draft.desired() < 2;
}

Stage stage_of(const Draft& draft) {
  const api::CanaryStatus& canary = *draft.status.canary;
  const auto& steps = draft.rollout().steps;
  const int count = static_cast<int>(steps.size());
  Stage stage;
  stage.index = canary.promoted ? count : std::clamp(canary.step.value_or(0), 0, count);
  stage.final = stage.index == count;
  stage.weight = stage.final ? kAll : steps[static_cast<size_t>(stage.index)].weight;
  stage.former_weight = stage.index > 0 ? steps[static_cast<size_t>(stage.index) - 1].weight : 0;
  // Whoever skips the analysis keeps the present weight until everything is there: nothing in between was measured.
  if (canary.promoted) stage.former_weight = canary.weight;
  const std::optional<int> asked =
      stage.final ? std::optional(std::max(1, draft.desired())) : steps[static_cast<size_t>(stage.index)].replicas;
  stage.replicas = asked.value_or(replicas_for(stage.weight, draft.desired()));
  stage.required = asked.value_or(replicas_to_carry(stage.weight, draft.desired()));
  share_accelerators(draft, stage);
  return stage;
}

}  // namespace tidegate::rollout
