#pragma once
// Time-uniform confidence bounds of a latency quantile from a histogram: the quantile lies at or below x exactly when
// at most a share 1 - q of all requests takes longer than x, and that share has a Bernoulli confidence sequence
// (Howard and Ramdas 2022, Bernoulli 28, arXiv:1906.09712, section 3, with that sequence in place of theirs). Called by
// rollout's latency checks.

#include <optional>

#include "stats/latency_histogram.h"

namespace tidegate::stats {

// P(the true q-quantile is ever above it) <= alpha; an upper bucket edge, in milliseconds. nullopt while nothing (or
// only the unbounded bucket) bounds it. 0 < q < 1, 0 < alpha < 1; counts are divided by design_effect >= 1.
std::optional<double> quantile_upper_bound(const LatencyHistogram& histogram, double q, double alpha,
                                           double design_effect = 1);

// P(the true q-quantile is ever below it) <= alpha; a lower bucket edge, 0 while nothing bounds it.
double quantile_lower_bound(const LatencyHistogram& histogram, double q, double alpha, double design_effect = 1);

}  // namespace tidegate::stats
