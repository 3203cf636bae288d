#include "rollout/verdict.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "rollout/check.h"
#include "rollout/plan.h"
#include "rollout/text.h"

namespace tidegate::rollout {
namespace {

CheckInput input_of(const api::Check& check, const api::AnalysisSpec& analysis, int steps,
                    const Measurements& measurements) {
  return {.check = &check,
          .analysis = &analysis,
          .measurements = &measurements,
          .tests = static_cast<int>(analysis.checks.size()) * std::max(steps, 1),
          .design_effect = std::max(1.0, analysis.design_effect)};
}

// The smallest factor by which both arms have to grow, at their present rates, for the check to let the step be left;
// within 5 %. Growing the counts and dividing by the design effect are the same thing.
std::optional<double> growth_needed(const CheckInput& input, bool last_step) {
  const auto may_leave_at = [&](double factor) {
    CheckInput grown = input;
    grown.design_effect /= factor;
    return may_leave(evaluate(grown), last_step);
  };
  constexpr double kLargest = 1 << 20;
  double high = 1;
  while (!may_leave_at(high)) {
    if (high >= kLargest) return std::nullopt;
    high *= 2;
  }
  double low = high / 2;
  while (high > low * 1.05 && high > 1) {
    const double middle = std::sqrt(low * high);
    (may_leave_at(middle) ? high : low) = middle;
  }
  return high;
}

std::optional<int64_t> requests_needed(const CheckInput& input, bool last_step) {
  if (may_leave(evaluate(input), last_step)) return 0;
  const int64_t present = input.measurements->canary.requests;
  if (present == 0) return std::nullopt;
  const std::optional<double> growth = growth_needed(input, last_step);
  if (!growth) return std::nullopt;
  return static_cast<int64_t>(std::ceil(static_cast<double>(present) * (*growth - 1)));
}

// minRequests holds for each arm that a check compares.
int64_t missing_for_minimum(const api::AnalysisSpec& analysis, const Measurements& measurements) {
  const bool compares = std::any_of(analysis.checks.begin(), analysis.checks.end(), compares_with_stable);
  int64_t missing = std::max<int64_t>(0, analysis.min_requests - measurements.canary.requests);
  if (compares && measurements.stable.requests < analysis.min_requests) missing = std::max<int64_t>(missing, 1);
  return missing;
}

std::optional<absl::Duration> eta_of(int64_t needed, const Measurements& measurements) {
  const absl::Duration elapsed = measurements.until - measurements.from;
  // A rate from less than two looks is noise.
  if (elapsed < 2 * kAnalysisPeriod || measurements.canary.requests == 0) return std::nullopt;
  return elapsed * (static_cast<double>(needed) / static_cast<double>(measurements.canary.requests));
}

}  // namespace

StepVerdict judge(const api::AnalysisSpec& analysis, int steps, bool last_step, const Measurements& measurements) {
  StepVerdict step;
  bool all_may_leave = missing_for_minimum(analysis, measurements) == 0;
  for (const api::Check& check : analysis.checks) {
    CheckEvaluation evaluation = evaluate(input_of(check, analysis, steps, measurements));
    all_may_leave = all_may_leave && may_leave(evaluation, last_step);
    if (evaluation.result.verdict == api::Verdict::kFail && step.failure.empty()) {
      step.verdict = api::Verdict::kFail;
      step.failure = evaluation.result.message;
    }
    step.checks.push_back(std::move(evaluation.result));
  }
  if (step.verdict != api::Verdict::kFail && all_may_leave) step.verdict = api::Verdict::kPass;
  return step;
}

void forecast(const api::AnalysisSpec& analysis, int steps, bool last_step, const Measurements& measurements,
              StepVerdict& verdict) {
  int64_t needed = missing_for_minimum(analysis, measurements);
  bool reachable = true;
  for (size_t i = 0; i < analysis.checks.size() && i < verdict.checks.size(); ++i) {
    const CheckInput input = input_of(analysis.checks[i], analysis, steps, measurements);
    std::optional<int64_t>& of_check = verdict.checks[i].requests_needed;
    of_check = requests_needed(input, last_step);
    reachable = reachable && of_check.has_value();
    needed = std::max(needed, of_check.value_or(0));
  }
  if (!reachable) return;
  verdict.requests_needed = needed;
  verdict.eta = eta_of(needed, measurements);
}

}  // namespace tidegate::rollout
