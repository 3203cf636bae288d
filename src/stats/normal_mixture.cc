#include "stats/normal_mixture.h"

#include <cmath>
#include <numbers>

#include "stats/root.h"

namespace tidegate::stats {
namespace {

// The source's approximation of the best rho for the two-sided bound; the one-sided one is tuned at twice the level.
double best_rho(double v_opt, double alpha, Sides sides) {
  const double level = sides == Sides::kTwo ? alpha : 2 * alpha;
  const double twice_log = 2 * std::log(1 / level);
  return v_opt / (twice_log + std::log1p(twice_log));
}

double log_normal_cdf(double x) { return std::log(0.5 * std::erfc(-x / std::numbers::sqrt2)); }

}  // namespace

NormalMixture::NormalMixture(double v_opt, double alpha, Sides sides)
    : alpha_(alpha), sides_(sides), rho_(best_rho(v_opt, alpha, sides)) {}

double NormalMixture::bound(double v) const {
  const double two_sided = std::sqrt((v + rho_) * std::log((v + rho_) / (alpha_ * alpha_ * rho_)));
  if (sides_ == Sides::kTwo) return two_sided;
  const double threshold = std::log(1 / alpha_);
  return increasing_root([&](double sum) { return log_evidence(sum, v) - threshold; }, 0, two_sided).upper;
}

// ln of the one-sided mixture: a half-normal prior on the drift, precision rho.
double NormalMixture::log_evidence(double sum, double v) const {
  const double scale = v + rho_;
  return 0.5 * std::log(4 * rho_ / scale) + sum * sum / (2 * scale) + log_normal_cdf(sum / std::sqrt(scale));
}

}  // namespace tidegate::stats
