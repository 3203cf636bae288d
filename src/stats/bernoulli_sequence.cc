#include "stats/bernoulli_sequence.h"

#include <algorithm>
#include <cmath>

#include "stats/root.h"
#include "stats/special.h"

namespace tidegate::stats {
namespace {

// The evidence against p >= p0, a lower bound of it, in closed form. With a = k + 1/2, b = n - k - 1/2 the mixture is
//   M(p0) = 1/2 B(p0; a, b) p0^-a (1 - p0)^-b,
// an incomplete beta integral. It is taken as the complete one less its tail beyond p0; the integrand is log-concave in
// the log odds, so the tail is at most its value at p0 over its slope there: 1/2 / (n p0 - a). That costs less than one
// per cent of alpha, on the safe side, and is exact enough at any n.
class UpperEvidence {
 public:
  UpperEvidence(double events, double trials)
      : a_(events + 0.5), b_(trials - events - 0.5), log_peak_(std::log(0.5) + log_beta_excess(a_, b_)) {}

  double mode() const { return a_ / (a_ + b_); }

  // ln M(p0) - threshold for p0 > mode(); increasing in p0.
  double over(double p0, double log_threshold) const {
    const double log_whole = log_peak_ + scaled_divergence(a_, b_, p0);
    const double slope = (a_ + b_) * p0 - a_;
    const double tail_share = std::exp(std::log(0.5) - std::log(slope) - log_whole);
    if (!(tail_share < 1)) return -log_threshold;  // too close to the mode to say anything
    return log_whole + std::log1p(-tail_share) - log_threshold;
  }

 private:
  double a_;
  double b_;
  double log_peak_;
};

// With no more than half a trial without an event, no p is excluded.
bool has_upper_bound(double events, double trials) { return trials > 0 && trials - events > 0.5; }

// ln of the two-sided mixture's evidence against p.
double log_beta_binomial_evidence(double events, double trials, double p, const BetaBinomialTuning& tuning) {
  const double a = tuning.uniform ? 1 : tuning.prior_weight * p;
  const double b = tuning.uniform ? 1 : tuning.prior_weight * (1 - p);
  const double posterior_a = a + events;
  const double posterior_b = b + trials - events;
  // ln B(posterior) - ln B(prior) - k ln p - (n - k) ln(1 - p), regrouped around the divergences so that nothing of the
  // order of n has to cancel.
  return log_beta_excess(posterior_a, posterior_b) + scaled_divergence(posterior_a, posterior_b, p) -
         log_beta_excess(a, b) - scaled_divergence(a, b, p);
}

}  // namespace

double bernoulli_upper_bound(double events, double trials, double alpha) {
  if (!has_upper_bound(events, trials)) return 1;
  const UpperEvidence evidence(events, trials);
  const double threshold = -std::log(alpha);
  return increasing_root([&](double p) { return evidence.over(p, threshold); }, evidence.mode(), 1).upper;
}

double bernoulli_lower_bound(double events, double trials, double alpha) {
  return 1 - bernoulli_upper_bound(trials - events, trials, alpha);
}

bool bernoulli_upper_bound_is_at_most(double p0, double events, double trials, double alpha) {
  if (p0 >= 1) return true;
  if (!has_upper_bound(events, trials)) return false;
  const UpperEvidence evidence(events, trials);
  return p0 > evidence.mode() && evidence.over(p0, -std::log(alpha)) >= 0;
}

BetaBinomialTuning BetaBinomialTuning::optimal_at(double trials, double alpha) {
  const double twice_log = 2 * std::log(1 / alpha);
  return {.uniform = false, .prior_weight = std::max(trials / (twice_log + std::log1p(twice_log)) - 1, 1e-3)};
}

BetaBinomialTuning BetaBinomialTuning::uniform_prior() { return {.uniform = true}; }

Interval beta_binomial_interval(double events, double trials, double alpha, const BetaBinomialTuning& tuning) {
  if (!(trials > 0)) return {};
  const double threshold = -std::log(alpha);
  const double mean = events / trials;
  const auto over = [&](double p) { return log_beta_binomial_evidence(events, trials, p, tuning) - threshold; };
  Interval interval;
  if (events > 0) interval.lower = std::abs(increasing_root([&](double x) { return over(-x); }, -mean, 0).upper);
  if (events < trials) interval.upper = increasing_root(over, mean, 1).upper;
  return interval;
}

}  // namespace tidegate::stats
