#pragma once
// Where an increasing function crosses zero: bisection sped up by the secant (the Illinois rule, Dowell and Jarratt
// 1971), which keeps the bracket and needs about ten evaluations. Used inside stats.

#include <cmath>

namespace tidegate::stats {

struct Bracket {
  double lower;  // the function is below zero here
  double upper;  // and at or above zero here: the safe side for a confidence bound
};

// Needs function < 0 just above `lower` and >= 0 just below `upper` (the ends themselves are not evaluated: a
// confidence bound's evidence is infinite at 0 and 1). The bracket it returns is at most 1e-12 of the distance from
// `lower` wide, or a few units in the last place; if the function is below zero everywhere, `upper` comes back
// unchanged.
template <typename Function>
Bracket increasing_root(const Function& function, double lower, double upper) {
  constexpr int kMaxEvaluations = 200;
  constexpr double kRelativeWidth = 1e-12;
  const double start = lower;
  double at_lower = NAN, at_upper = NAN;  // unknown until evaluated
  int last_side = 0;
  for (int i = 0; i < kMaxEvaluations; ++i) {
    const double width = upper - lower;
    if (width <= kRelativeWidth * std::abs(upper - start) || width <= 4e-16 * std::abs(upper)) break;
    double x = lower + width / 2;
    if (std::isfinite(at_lower) && std::isfinite(at_upper) && i % 8 != 7) {
      const double secant = lower - at_lower * width / (at_upper - at_lower);
      if (secant > lower && secant < upper) x = secant;
    }
    if (x <= lower || x >= upper) break;
    const double y = function(x);
    if (y >= 0) {
      upper = x, at_upper = y;
      if (last_side == 1) at_lower /= 2;
      last_side = 1;
    } else {
      lower = x, at_lower = y;
      if (last_side == -1) at_upper /= 2;
      last_side = -1;
    }
  }
  return {lower, upper};
}

}  // namespace tidegate::stats
