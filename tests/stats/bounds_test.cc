// The reference values of the sources' own test-suites, and what every bound must keep at any size.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "stats/bernoulli_sequence.h"
#include "stats/normal_mixture.h"
#include "stats/wald_sprt.h"

namespace tidegate::stats {
namespace {

TEST(BetaBinomialInterval, ReproducesTheSourcesValues) {
  const Interval many = beta_binomial_interval(700, 1000, .05, BetaBinomialTuning::optimal_at(100, .05));
  EXPECT_NEAR(many.lower, 0.651629, 2e-6);
  EXPECT_NEAR(many.upper, 0.745949, 2e-6);
  const Interval few = beta_binomial_interval(1, 50, .05, BetaBinomialTuning::optimal_at(50, .05));
  EXPECT_EQ(few.lower, 0);
  EXPECT_NEAR(few.upper, 0.13489, 5e-6);
}

TEST(BetaBinomialInterval, WithTheUniformPriorReproducesTheSourcesValues) {
  const Interval interval = beta_binomial_interval(700, 1000, .05, BetaBinomialTuning::uniform_prior());
  EXPECT_NEAR(interval.lower, .6470, 5e-5);
  EXPECT_NEAR(interval.upper, .7497, 5e-5);
}

TEST(NormalMixture, ReproducesTheSourcesValues) {
  const NormalMixture two_sided(100, .05, Sides::kTwo);
  EXPECT_NEAR(two_sided.rho(), 12.60056, 1e-5);
  EXPECT_NEAR(two_sided.bound(100), 30.35209, 1e-5);
  EXPECT_NEAR(NormalMixture(100, .05, Sides::kOne).bound(100), 27.66071, 1e-5);
}

TEST(WaldSprt, ReproducesTheTextbookCase) {
  const WaldSprt test(.01, .02, .05, .05);
  EXPECT_NEAR(test.upper_limit(), 2.9444, 5e-5);
  EXPECT_NEAR(test.lower_limit(), -2.9444, 5e-5);
  EXPECT_NEAR(test.error_step(), .6931, 5e-5);
  EXPECT_EQ(test.decide(0, 290), WaldSprt::Decision::kUndecided);
  EXPECT_EQ(test.decide(0, 291), WaldSprt::Decision::kAcceptGood);
  EXPECT_EQ(test.decide(5, 5), WaldSprt::Decision::kAcceptBad);
}

// ln of the evidence that the bound's comment promises, by plain numerical integration over w.
double evidence_by_integration(double p0, double k, double n) {
  const double odds = p0 / (1 - p0);
  constexpr int kCells = 200'000;
  double sum = 0;
  for (int i = 0; i < kCells; ++i) {
    const double w = (i + .5) / kCells;
    const double q = odds * w * w / (1 + odds * w * w);
    sum += std::exp((k > 0 ? k * std::log(q / p0) : 0) + (n - k) * std::log((1 - q) / (1 - p0)));
  }
  return std::log(sum / kCells);
}

TEST(UpperBound, IsWhereTheMixturesEvidenceReachesOneOverAlpha) {
  for (const double n : {30., 300., 20000.}) {
    for (const double share : {0., .01, .2, .7}) {
      const double k = std::floor(share * n);
      for (const double alpha : {.2, .05, .001}) {
        const double bound = bernoulli_upper_bound(k, n, alpha);
        // Never short of the level, and not more than a few per cent of it on the safe side.
        EXPECT_GE(evidence_by_integration(bound, k, n), -std::log(alpha) - 1e-6) << k << "/" << n << " alpha " << alpha;
        EXPECT_LE(evidence_by_integration(bound, k, n), -std::log(alpha) + .12) << k << "/" << n << " alpha " << alpha;
      }
    }
  }
}

TEST(UpperBound, IsOneWithoutTrialsAndWhenEveryTrialWasAnEvent) {
  EXPECT_EQ(bernoulli_upper_bound(0, 0, .05), 1);
  EXPECT_EQ(bernoulli_lower_bound(0, 0, .05), 0);
  EXPECT_EQ(bernoulli_upper_bound(10, 10, .05), 1);
  EXPECT_EQ(bernoulli_lower_bound(0, 10, .05), 0);
}

TEST(UpperBound, TightensTowardsTheRateUpToATrillionTrials) {
  for (const double rate : {0., 1e-6, .003, .5, .999}) {
    double former_width = 2;
    for (double n = 1e2; n <= 1e12; n *= 10) {
      const double k = std::round(rate * n);
      const double lower = bernoulli_lower_bound(k, n, .01), upper = bernoulli_upper_bound(k, n, .01);
      EXPECT_LE(lower, k / n);
      EXPECT_GE(upper, k / n);
      EXPECT_GE(lower, 0);
      EXPECT_LE(upper, 1);
      EXPECT_LT(upper - lower, former_width) << rate << " of " << n;
      former_width = upper - lower;
    }
    EXPECT_LT(former_width, 1e-5) << rate;
  }
}

TEST(UpperBound, FallsWithTrialsAndRisesWithEventsAndConfidence) {
  EXPECT_LT(bernoulli_upper_bound(3, 400, .05), bernoulli_upper_bound(3, 300, .05));
  EXPECT_LT(bernoulli_upper_bound(3, 300, .05), bernoulli_upper_bound(4, 300, .05));
  EXPECT_LT(bernoulli_upper_bound(3, 300, .05), bernoulli_upper_bound(3, 300, .01));
}

TEST(UpperBound, OfEventsMirrorsTheLowerBoundOfTheirAbsence) {
  EXPECT_DOUBLE_EQ(bernoulli_upper_bound(20, 300, .05), 1 - bernoulli_lower_bound(280, 300, .05));
}

TEST(UpperBoundIsAtMost, AgreesWithTheBound) {
  for (const double k : {0., 2., 17., 299., 300.}) {
    const double bound = bernoulli_upper_bound(k, 300, .02);
    EXPECT_TRUE(bernoulli_upper_bound_is_at_most(std::fmin(1, bound * (1 + 1e-9)), k, 300, .02));
    EXPECT_FALSE(bernoulli_upper_bound_is_at_most(bound * (1 - 1e-9), k, 300, .02)) << k;
  }
  EXPECT_FALSE(bernoulli_upper_bound_is_at_most(.5, 0, 0, .05));
}

}  // namespace
}  // namespace tidegate::stats
