#include "rollout/check.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "rollout/text.h"
#include "stats/bernoulli_sequence.h"
#include "stats/quantile_bounds.h"

namespace tidegate::rollout {
namespace {

using base::cat;

using stats::bernoulli_lower_bound;
using stats::bernoulli_upper_bound;
using stats::Edge;

// "3 × limit", the harm that leaving an early step may let through.
constexpr double kProvisionalFactor = 3;

struct Levels {
  double fail;
  double pass;
};

Levels levels_of(const CheckInput& input) {
  const double alpha = 1 - input.analysis->confidence;
  return {.fail = alpha / input.tests, .pass = alpha};
}

// Events and trials of one arm, thinned by the design effect.
struct Counts {
  double events = 0;
  double trials = 0;

  double rate() const { return trials > 0 ? events / trials : 0; }
};

Counts thinned(int64_t events, int64_t trials, const CheckInput& input) {
  return {static_cast<double>(events) / input.design_effect, static_cast<double>(trials) / input.design_effect};
}

Counts errors_in(const ArmMeasurement& arm, const CheckInput& input) {
  return thinned(errors_of(arm, *input.analysis), arm.requests, input);
}

// The verdict from an interval of what the check limits; `harm_excluded_below` is what the provisional pass compares
// with three times the limit.
void decide(CheckEvaluation& evaluation, double estimate, double lower, double upper, double limit,
            double provisional_limit) {
  api::AnalysisResult& result = evaluation.result;
  result.lower = lower;
  result.upper = upper;
  result.limit = limit;
  if (lower > limit) {
    result.verdict = api::Verdict::kFail;
  } else if (upper <= limit) {
    result.verdict = api::Verdict::kPass;
  }
  evaluation.provisional = estimate <= limit && upper <= provisional_limit;
}

std::string after_requests(const CheckInput& input) {
  return cat("after ", grouped(input.measurements->canary.requests), " requests");
}

void evaluate_error_rate(const CheckInput& input, CheckEvaluation& evaluation) {
  const Levels levels = levels_of(input);
  const Counts canary = errors_in(input.measurements->canary, input);
  const double limit = *input.check->max;
  decide(evaluation, canary.rate(), bernoulli_lower_bound(canary.events, canary.trials, levels.fail),
         bernoulli_upper_bound(canary.events, canary.trials, levels.pass), limit,
         std::min(kProvisionalFactor * limit, 1.0));
  const api::AnalysisResult& result = evaluation.result;
  evaluation.result.message = cat(percent(canary.rate()), " of requests fail [", percent(*result.lower), ", ",
                                  percent(*result.upper), "], limit ", percent(limit), ", ", after_requests(input));
}

void evaluate_error_increase(const CheckInput& input, CheckEvaluation& evaluation) {
  const Levels levels = levels_of(input);
  const Counts canary = errors_in(input.measurements->canary, input);
  const Counts stable = errors_in(input.measurements->stable, input);
  const double limit = *input.check->max_increase;
  const double lower = bernoulli_lower_bound(canary.events, canary.trials, levels.fail / 2) -
                       bernoulli_upper_bound(stable.events, stable.trials, levels.fail / 2);
  const double upper = bernoulli_upper_bound(canary.events, canary.trials, levels.pass / 2) -
                       bernoulli_lower_bound(stable.events, stable.trials, levels.pass / 2);
  decide(evaluation, canary.rate() - stable.rate(), lower, upper, limit, kProvisionalFactor * limit);
  evaluation.result.message =
      cat(percent(canary.rate()), " of requests fail against ", percent(stable.rate()),
          " of stable: ", signed_percent(canary.rate() - stable.rate()), " [", signed_percent(lower), ", ",
          signed_percent(upper), "], limit ", signed_percent(limit), ", ", after_requests(input));
}

// The errors of both arms arrive in some order; each is the canary's with chance theta = r n_c / (r n_c + n_s) where r
// is the ratio of the rates: one Bernoulli sequence over errors (Lindon and Malek 2022, arXiv:2011.03567).
void evaluate_error_ratio(const CheckInput& input, CheckEvaluation& evaluation) {
  const Levels levels = levels_of(input);
  const Counts canary = errors_in(input.measurements->canary, input);
  const Counts stable = errors_in(input.measurements->stable, input);
  const double limit = *input.check->max_ratio;
  const double errors = canary.events + stable.events;
  evaluation.result.limit = limit;
  if (canary.trials == 0 || stable.trials == 0 || errors == 0) {
    evaluation.result.message = cat("no errors to compare yet, ", after_requests(input));
    return;
  }
  const double exposure = stable.trials / canary.trials;
  const auto ratio_of = [&](double theta) { return theta >= 1 ? HUGE_VAL : exposure * theta / (1 - theta); };
  const double lower = ratio_of(bernoulli_lower_bound(canary.events, errors, levels.fail));
  const double upper = ratio_of(bernoulli_upper_bound(canary.events, errors, levels.pass));
  const double estimate = ratio_of(canary.events / errors);
  decide(evaluation, estimate, lower, upper, limit, 1 + kProvisionalFactor * (limit - 1));
  if (!std::isfinite(upper)) evaluation.result.upper.reset();
  evaluation.result.message = cat("errors at ", times(estimate), " the rate of stable, at least ", times(lower),
                                  ", limit ", times(limit), ", ", after_requests(input));
}

struct LatencyLimits {
  double fail_ms;         // a request above it is surely slower than allowed
  double pass_ms;         // one at or below it is surely not
  double estimate_ms;     // between both
  double provisional_ms;  // pass_ms at three times the limit
  std::string origin;     // where estimate_ms comes from, for the message
};

// The share of canary requests above the limits, against the share 1 - q that may be.
void decide_latency(const CheckInput& input, const LatencyLimits& limits, Levels levels, CheckEvaluation& evaluation) {
  const stats::LatencyHistogram& canary = input.measurements->canary.latency;
  const double allowed = 1 - input.check->quantile;
  const auto above = [&](double limit_ms, Edge edge) {
    return thinned(canary.count_above(limit_ms, edge), canary.total(), input);
  };
  const Counts surely = above(limits.fail_ms, Edge::kLower);
  const Counts possibly = above(limits.pass_ms, Edge::kUpper);
  const Counts estimate = above(limits.estimate_ms, Edge::kUpper);
  decide(evaluation, estimate.rate(), bernoulli_lower_bound(surely.events, surely.trials, levels.fail),
         bernoulli_upper_bound(possibly.events, possibly.trials, levels.pass), allowed, /*provisional_limit=*/-1);
  evaluation.result.canary = estimate.rate();
  evaluation.result.message =
      cat(percent(estimate.rate()), " of requests take longer than ", milliseconds(limits.estimate_ms), limits.origin,
          " [", percent(*evaluation.result.lower), ", ", percent(*evaluation.result.upper), "], limit ",
          percent(allowed), ", ", after_requests(input));
}

void evaluate_latency_limit(const CheckInput& input, CheckEvaluation& evaluation) {
  const double limit_ms = absl::ToDoubleMilliseconds(*input.check->max_latency);
  decide_latency(input, {limit_ms, limit_ms, limit_ms, limit_ms, ""}, levels_of(input), evaluation);
  const double provisional = std::min(kProvisionalFactor * (1 - input.check->quantile), 1.0);
  evaluation.provisional =
      *evaluation.result.canary <= *evaluation.result.limit && *evaluation.result.upper <= provisional;
}

// Slower by the ratio and by minDelta: both, or it is no harm.
double harmful_ms(double stable_ms, const api::Check& check, double factor) {
  const double ratio = 1 + factor * (*check.max_ratio - 1);
  return std::max(stable_ms * ratio, stable_ms + factor * absl::ToDoubleMilliseconds(check.min_delta));
}

// " (1.2 times stable's p95)", or what minDelta makes of it.
std::string origin_of_limit(double stable_ms, const api::Check& check) {
  const std::string quantile = cat("p", check.quantile * 100);
  if (stable_ms * *check.max_ratio >= harmful_ms(stable_ms, check, 1)) {
    return cat(" (", times(*check.max_ratio), " stable's ", quantile, ")");
  }
  return cat(" (stable's ", quantile, " and ", milliseconds(absl::ToDoubleMilliseconds(check.min_delta)), ")");
}

void evaluate_latency_ratio(const CheckInput& input, CheckEvaluation& evaluation) {
  const api::Check& check = *input.check;
  const stats::LatencyHistogram& stable = input.measurements->stable.latency;
  const Levels levels = levels_of(input);
  const Levels halves{levels.fail / 2, levels.pass / 2};
  // A Fail must hold against the slowest that stable's quantile can be, a Pass against the fastest.
  const double slowest =
      stats::quantile_upper_bound(stable, check.quantile, halves.fail, input.design_effect).value_or(HUGE_VAL);
  const double fastest = stats::quantile_lower_bound(stable, check.quantile, halves.pass, input.design_effect);
  const double estimate = stable.quantile(check.quantile, Edge::kUpper).value_or(0);
  const LatencyLimits limits{.fail_ms = harmful_ms(slowest, check, 1),
                             .pass_ms = harmful_ms(fastest, check, 1),
                             .estimate_ms = harmful_ms(estimate, check, 1),
                             .provisional_ms = harmful_ms(fastest, check, kProvisionalFactor),
                             .origin = origin_of_limit(estimate, check)};
  decide_latency(input, limits, halves, evaluation);
  evaluation.result.stable = stable.total() == 0
                                 ? 0.0
                                 : static_cast<double>(stable.count_above(limits.estimate_ms, Edge::kUpper)) /
                                       static_cast<double>(stable.total());
  const stats::LatencyHistogram& canary = input.measurements->canary.latency;
  const Counts far = thinned(canary.count_above(limits.provisional_ms, Edge::kUpper), canary.total(), input);
  evaluation.provisional =
      *evaluation.result.canary <= *evaluation.result.limit &&
      stats::bernoulli_upper_bound_is_at_most(*evaluation.result.limit, far.events, far.trials, halves.pass);
}

}  // namespace

int64_t errors_of(const ArmMeasurement& arm, const api::AnalysisSpec& analysis) {
  int64_t errors = arm.errors.model;
  for (const api::ErrorClass counted : analysis.errors) {
    switch (counted) {
      case api::ErrorClass::k5xx:
        errors += arm.errors.http_5xx;
        break;
      case api::ErrorClass::k429:
        errors += arm.errors.http_429;
        break;
      case api::ErrorClass::kTimeout:
        errors += arm.errors.timeout;
        break;
      case api::ErrorClass::kReset:
        errors += arm.errors.reset;
        break;
    }
  }
  return std::min(errors, arm.requests);
}

bool compares_with_stable(const api::Check& check) {
  return check.max_increase.has_value() || check.max_ratio.has_value();
}

bool may_leave(const CheckEvaluation& evaluation, bool last_step) {
  if (evaluation.result.verdict == api::Verdict::kFail) return false;
  return evaluation.result.verdict == api::Verdict::kPass || (!last_step && evaluation.provisional);
}

CheckEvaluation evaluate(const CheckInput& input) {
  const Measurements& measurements = *input.measurements;
  CheckEvaluation evaluation;
  evaluation.result.check = input.check->name;
  evaluation.result.requests = {.stable = measurements.stable.requests, .canary = measurements.canary.requests};
  if (input.check->metric == api::Metric::kLatency) {
    if (input.check->max_latency) {
      evaluate_latency_limit(input, evaluation);
    } else if (input.check->max_ratio) {
      evaluate_latency_ratio(input, evaluation);
    }
  } else {
    evaluation.result.stable = errors_in(measurements.stable, input).rate();
    evaluation.result.canary = errors_in(measurements.canary, input).rate();
    if (input.check->max) {
      evaluate_error_rate(input, evaluation);
    } else if (input.check->max_increase) {
      evaluate_error_increase(input, evaluation);
    } else if (input.check->max_ratio) {
      evaluate_error_ratio(input, evaluation);
    }
  }
  if (!evaluation.result.limit) {
    evaluation.result.message = "the check has no limit that fits its metric";
  } else {
    evaluation.result.message = cat(input.check->name, ": ", evaluation.result.message);
  }
  return evaluation;
}

}  // namespace tidegate::rollout
