#pragma once
// What the measurements of a step say: each check by its confidence sequence, and all of them together. Called by the
// canary planner at every look; valid however often that is.
//
// Levels, with alpha = 1 - confidence: a check fails one-sided at alpha / (checks × steps), so a good version is taken
// back in at most alpha of whole rollouts; it passes one-sided at alpha, not split, because all must pass. A difference
// of two arms gives half of its level to each.
#include <absl/time/time.h>

#include <optional>
#include <string>
#include <vector>

#include "api/types.h"
#include "rollout/observed.h"

namespace tidegate::rollout {

struct StepVerdict {
  // kFail: some check fails. kPass: every check lets the step be left and minRequests is reached.
  api::Verdict verdict = api::Verdict::kUndecided;
  std::vector<api::AnalysisResult> checks;
  std::string failure;  // the sentence of the check that failed; empty unless kFail

  // Canary requests still missing at the present estimates; absent: the estimates themselves exceed a limit.
  std::optional<int64_t> requests_needed;
  // Until they are there at the present rate; absent when no requests come or none would do.
  std::optional<absl::Duration> eta;
};

// `steps`: how many have an analysis. The last one needs Pass of every check; before it, a check may also be left when
// its estimate is within the limit and harm beyond three times the limit is excluded (so that a step of 5 % does not
// wait for the precision that only 50 % can give).
// Tens of microseconds.
StepVerdict judge(const api::AnalysisSpec& analysis, int steps, bool last_step, const Measurements& measurements);

// Adds what is still needed to a verdict of the same arguments: for people, no decision uses it. Hundreds of
// microseconds.
void forecast(const api::AnalysisSpec& analysis, int steps, bool last_step, const Measurements& measurements,
              StepVerdict& verdict);

}  // namespace tidegate::rollout
