// Looked at after every batch, for the whole stream: the truth leaves the bounds in at most alpha of streams. Seeded.
#include <gtest/gtest.h>

#include <random>

#include "stats/bernoulli_sequence.h"

namespace tidegate::stats {
namespace {

constexpr int kStreams = 2000;
constexpr double kAlpha = .1;

struct Excursions {
  int above_upper = 0;
  int below_lower = 0;
};

// Streams of `looks` batches; how many streams ever had the true rate outside.
Excursions watch(double rate, int64_t batch, int looks) {
  std::mt19937_64 random(20'260'101);
  std::binomial_distribution<int64_t> events_in_batch(batch, rate);
  Excursions seen;
  for (int stream = 0; stream < kStreams; ++stream) {
    double events = 0, trials = 0;
    bool above = false, below = false;
    for (int look = 0; look < looks && !(above && below); ++look) {
      events += static_cast<double>(events_in_batch(random));
      trials += static_cast<double>(batch);
      above = above || bernoulli_upper_bound_is_at_most(rate, events, trials, kAlpha);
      below = below || bernoulli_upper_bound_is_at_most(1 - rate, trials - events, trials, kAlpha);
    }
    seen.above_upper += above ? 1 : 0;
    seen.below_lower += below ? 1 : 0;
  }
  return seen;
}

TEST(BernoulliSequence, MissesTheTruthInAtMostAlphaOfStreamsHoweverOftenOneLooks) {
  for (const double rate : {.002, .05, .5}) {
    for (const int64_t batch : {1, 50, 2000}) {
      const Excursions seen = watch(rate, batch, 400);
      EXPECT_LE(seen.above_upper, kAlpha * kStreams) << rate << " by " << batch;
      EXPECT_LE(seen.below_lower, kAlpha * kStreams) << rate << " by " << batch;
    }
  }
}

}  // namespace
}  // namespace tidegate::stats
