#include "stats/quantile_bounds.h"

#include <cmath>
#include <limits>

#include "stats/bernoulli_sequence.h"

namespace tidegate::stats {
namespace {

// The largest count of `total` whose upper bound is still at most p0; -1 if not even 0 is. The bound grows with the
// count.
int64_t largest_count_below(double p0, int64_t total, double alpha, double design_effect) {
  const double trials = static_cast<double>(total) / design_effect;
  const auto is_below = [&](int64_t count) {
    return bernoulli_upper_bound_is_at_most(p0, static_cast<double>(count) / design_effect, trials, alpha);
  };
  if (!is_below(0)) return -1;
  int64_t below = 0, above = total + 1;
  while (above - below > 1) {
    const int64_t middle = below + (above - below) / 2;
    (is_below(middle) ? below : above) = middle;
  }
  return below;
}

}  // namespace

std::optional<double> quantile_upper_bound(const LatencyHistogram& histogram, double q, double alpha,
                                           double design_effect) {
  const int64_t allowed = largest_count_below(1 - q, histogram.total(), alpha, design_effect);
  if (allowed < 0) return std::nullopt;
  // The smallest upper edge with at most `allowed` requests possibly above it. Buckets may overlap when two sources
  // with different edges were merged, hence count_above and not a running sum.
  double bound = std::numeric_limits<double>::infinity();
  for (auto bucket = histogram.buckets().rbegin(); bucket != histogram.buckets().rend(); ++bucket) {
    if (histogram.count_above(bucket->upper_ms, Edge::kUpper) > allowed) break;
    bound = std::fmin(bound, bucket->upper_ms);
  }
  return std::isfinite(bound) ? std::optional(bound) : std::nullopt;
}

double quantile_lower_bound(const LatencyHistogram& histogram, double q, double alpha, double design_effect) {
  // The quantile is at least x once the share at or below x is shown to be under q: the same question, counted from the
  // other side.
  const int64_t allowed = largest_count_below(q, histogram.total(), alpha, design_effect);
  if (allowed < 0) return 0;
  double bound = 0;
  for (const LatencyBucket& bucket : histogram.buckets()) {
    const int64_t possibly_at_or_below = histogram.total() - histogram.count_above(bucket.lower_ms, Edge::kLower);
    if (possibly_at_or_below > allowed) break;
    bound = bucket.lower_ms;
  }
  return bound;
}

}  // namespace tidegate::stats
