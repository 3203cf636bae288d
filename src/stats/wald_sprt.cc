#include "stats/wald_sprt.h"

#include <cmath>

namespace tidegate::stats {

WaldSprt::WaldSprt(double good_rate, double bad_rate, double false_alarm, double miss)
    : upper_limit_(std::log((1 - miss) / false_alarm)),
      lower_limit_(std::log(miss / (1 - false_alarm))),
      error_step_(std::log(bad_rate / good_rate)),
      clean_step_(std::log1p(-bad_rate) - std::log1p(-good_rate)) {}

WaldSprt::Decision WaldSprt::decide(double errors, double requests) const {
  const double log_ratio = errors * error_step_ + (requests - errors) * clean_step_;
  if (log_ratio >= upper_limit_) return Decision::kAcceptBad;
  if (log_ratio <= lower_limit_) return Decision::kAcceptGood;
  return Decision::kUndecided;
}

}  // namespace tidegate::stats
