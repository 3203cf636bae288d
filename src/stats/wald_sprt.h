#pragma once
// Wald's sequential probability ratio test between two known error rates: nothing that knows less can decide with fewer
// requests on average (Wald and Wolfowitz 1948). The benchmark's yardstick; no decision of the planner uses it.

namespace tidegate::stats {

class WaldSprt {
 public:
  enum class Decision { kUndecided, kAcceptGood, kAcceptBad };

  // 0 < good_rate < bad_rate < 1; false_alarm: chance to call a good one bad; miss: the other way.
  WaldSprt(double good_rate, double bad_rate, double false_alarm, double miss);

  double upper_limit() const { return upper_limit_; }  // ln((1 - miss) / false_alarm)
  double lower_limit() const { return lower_limit_; }  // ln(miss / (1 - false_alarm))
  double error_step() const { return error_step_; }    // what one error adds to the log likelihood ratio
  double clean_step() const { return clean_step_; }    // what one request without an error adds: negative

  Decision decide(double errors, double requests) const;

 private:
  double upper_limit_;
  double lower_limit_;
  double error_step_;
  double clean_step_;
};

}  // namespace tidegate::stats
