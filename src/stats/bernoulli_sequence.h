#pragma once
// Time-uniform confidence bounds for the probability of an event seen k times in n independent trials.
//
// Every bound holds at all sample sizes at once: however often one looks, and whenever one stops because of what was
// seen, the true probability is outside with chance at most alpha over the whole stream. That is what lets the planner
// look at a canary every few seconds for free. Counts may be fractional (a design effect divides them) and reach 1e12.
// Called by rollout's checks; pure functions.
//
// Method: mixtures of likelihood ratios and Ville's inequality (Robbins 1970, Ann. Math. Stat. 41; Howard, Ramdas,
// McAuliffe, Sekhon 2021, Ann. Statist. 49, arXiv:1810.08240, beta-binomial mixture, section 3.5).

namespace tidegate::stats {

struct Interval {
  double lower = 0;
  double upper = 1;
};

// One-sided bounds: the chance that p is ever above the upper one is at most alpha, and that it is ever below the lower
// one too. 0 <= events <= trials, 0 < alpha < 1. No trials: 1 and 0.
//
// Tuning. The hypothesis p >= p0 is bet against with the alternatives whose odds are w² times the odds of p0, w uniform
// on (0, 1): the beta weight q^(-1/2) (1-q)^(-3/2) truncated to (0, p0). It is the Jeffreys weight for rare events, but
// relative to p0, so no tuning point is needed: it spends its level near the limit under test, be that 1 % or 50 %, and
// the evidence is monotone in p0, so that the bound is one root. At 0 events in 1,000 trials and alpha .05 the upper
// bound is .0038 (a uniform mixture: .0099; one fixed-size look: .0030).
double bernoulli_upper_bound(double events, double trials, double alpha);
double bernoulli_lower_bound(double events, double trials, double alpha);

// Whether bernoulli_upper_bound(events, trials, alpha) <= p0, without searching for the bound.
bool bernoulli_upper_bound_is_at_most(double p0, double events, double trials, double alpha);

// Parameters of the two-sided beta-binomial mixture: a beta prior of total weight `prior_weight` around each hypothesis
// p (mean p), or the uniform prior for all.
struct BetaBinomialTuning {
  // The tuning that makes the interval narrowest near `trials` trials at level `alpha`; the source's rho,
  // prior weight = trials / (2 ln(1/alpha) + ln(1 + 2 ln(1/alpha))) - 1, at least 1/1000.
  static BetaBinomialTuning optimal_at(double trials, double alpha);
  static BetaBinomialTuning uniform_prior();

  bool uniform = false;
  double prior_weight = 1;
};

// Two-sided interval at level alpha, for reports; the source's test-suite gives the reference values.
Interval beta_binomial_interval(double events, double trials, double alpha, const BetaBinomialTuning& tuning);

}  // namespace tidegate::stats
