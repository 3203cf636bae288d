#include "stats/latency_histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "stats/quantile_bounds.h"

namespace tidegate::stats {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

LatencyHistogram uniform_1_to_100(int64_t each) {
  LatencyHistogram histogram;
  for (int ms = 0; ms < 100; ++ms) histogram.add(ms, ms + 1, each);
  return histogram;
}

TEST(LatencyHistogram, AddsToTheBucketThatIsThereAndKeepsBucketsInOrder) {
  LatencyHistogram histogram;
  histogram.add(10, 20, 2);
  histogram.add(0, 10, 1);
  histogram.add(10, 20, 3);
  histogram.add(5, 6, 0);
  ASSERT_EQ(histogram.buckets().size(), 2u);
  EXPECT_EQ(histogram.buckets()[1], (LatencyBucket{10, 20, 5}));
  EXPECT_EQ(histogram.total(), 6);
}

TEST(LatencyHistogram, MergesOthersWithOtherBuckets) {
  LatencyHistogram a, b;
  a.add(0, 10, 1);
  a.add(10, 20, 1);
  b.add(10, 20, 4);
  b.add(0, 5, 2);
  a.merge(b);
  EXPECT_EQ(a.buckets(), (std::vector<LatencyBucket>{{0, 5, 2}, {0, 10, 1}, {10, 20, 5}}));
  EXPECT_EQ(a.total(), 8);
}

TEST(LatencyHistogram, CountsSurelyAndPossiblyAboveALimit) {
  LatencyHistogram histogram;
  histogram.add(0, 10, 7);
  histogram.add(10, 20, 2);
  histogram.add(20, kInfinity, 1);
  EXPECT_EQ(histogram.count_above(15, Edge::kLower), 1);
  EXPECT_EQ(histogram.count_above(1.25 * std::nextafter(8, 0.0), Edge::kUpper), 3) << "that is 10 but for rounding";
  EXPECT_EQ(histogram.count_above(std::nextafter(10, 20), Edge::kLower), 3) << "so is that";
  EXPECT_EQ(histogram.count_above(15, Edge::kUpper), 3);
  EXPECT_EQ(histogram.count_above(10, Edge::kLower), 3) << "(10, 20] is wholly above 10";
  EXPECT_EQ(histogram.count_above(10, Edge::kUpper), 3) << "(0, 10] is not above 10";
}

TEST(LatencyHistogram, GivesTheEdgesOfTheBucketThatHoldsTheQuantile) {
  const LatencyHistogram histogram = uniform_1_to_100(1);
  EXPECT_EQ(histogram.quantile(.95, Edge::kUpper), 95);
  EXPECT_EQ(histogram.quantile(.95, Edge::kLower), 94);
  EXPECT_EQ(LatencyHistogram().quantile(.95, Edge::kUpper), std::nullopt);
}

TEST(LatencyHistogram, GivesWhatCameInSinceAnEarlierReadingOrSaysThatItWasReset) {
  LatencyHistogram earlier, later;
  earlier.add(0, 10, 5);
  later.add(0, 10, 7);
  later.add(10, 20, 1);
  const auto since = later.since(earlier);
  ASSERT_TRUE(since.has_value());
  EXPECT_EQ(since->buckets(), (std::vector<LatencyBucket>{{0, 10, 2}, {10, 20, 1}}));
  EXPECT_EQ(since->total(), 3);
  EXPECT_EQ(earlier.since(later), std::nullopt);
}

TEST(QuantileBounds, EncloseTheQuantileAndCloseInOnIt) {
  double former = kInfinity;
  for (const int64_t each : {3, 30, 300, 30'000, 30'000'000}) {
    const LatencyHistogram histogram = uniform_1_to_100(each);
    const double lower = quantile_lower_bound(histogram, .9, .025);
    const double upper = quantile_upper_bound(histogram, .9, .025).value_or(kInfinity);
    EXPECT_LE(lower, 90);
    EXPECT_GE(upper, 90);
    EXPECT_LE(upper - lower, former);
    former = upper - lower;
  }
  EXPECT_LE(former, 2);
}

TEST(QuantileBounds, SayNothingFromAFewRequestsOrFromTheUnboundedBucket) {
  LatencyHistogram few;
  few.add(0, 10, 20);
  EXPECT_EQ(quantile_upper_bound(few, .95, .05), std::nullopt) << "20 requests cannot bound the 95th percentile";
  EXPECT_EQ(quantile_lower_bound(few, .95, .05), 0);
  LatencyHistogram beyond;
  beyond.add(1000, kInfinity, 100'000);
  EXPECT_EQ(quantile_upper_bound(beyond, .95, .05), std::nullopt);
  EXPECT_EQ(quantile_lower_bound(beyond, .95, .05), 1000);
}

TEST(QuantileBounds, WidenWithTheDesignEffect) {
  const LatencyHistogram histogram = uniform_1_to_100(100);
  EXPECT_GT(*quantile_upper_bound(histogram, .9, .05, 8), *quantile_upper_bound(histogram, .9, .05));
  EXPECT_LT(quantile_lower_bound(histogram, .9, .05, 8), quantile_lower_bound(histogram, .9, .05));
}

}  // namespace
}  // namespace tidegate::stats
