#include "stats/special.h"

#include <cmath>
#include <numbers>

namespace tidegate::stats {

double stirling_remainder(double x) {
  constexpr double kSeriesFrom = 16;
  if (x < kSeriesFrom) {
    const double half_log_two_pi = 0.5 * std::log(2 * std::numbers::pi);
    return std::lgamma(x) - ((x - 0.5) * std::log(x) - x + half_log_two_pi);
  }
  const double r = 1 / (x * x);
  return (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r / 1680))) / x;
}

double log_beta_excess(double a, double b) {
  const double n = a + b;
  // ln(n / (a b)), written so that neither the product overflows nor a tiny factor is lost.
  const double log_ratio = std::log(n / a) - std::log(b);
  return 0.5 * (std::log(2 * std::numbers::pi) + log_ratio) + stirling_remainder(a) + stirling_remainder(b) -
         stirling_remainder(n);
}

double scaled_divergence(double a, double b, double p) {
  const double m = a / (a + b);
  const double x = p - m;
  double sum = 0;
  if (a > 0) sum -= a * std::log1p(x / m);
  if (b > 0) sum -= b * std::log1p(-x / (1 - m));
  return sum > 0 ? sum : 0;
}

}  // namespace tidegate::stats
