#include "rollout/text.h"

#include <absl/strings/str_format.h>

#include <cmath>

#include "base/strings.h"

namespace tidegate::rollout {
namespace {

using base::cat;

// Enough to tell 0.04 % from 0.5 %, and 12.3 % from 12.4 %.
int percent_decimals(double percent) {
  const double size = std::abs(percent);
  if (size == 0 || size >= 10) return 1;
  return size < 0.1 ? 3 : 2;
}

std::string without_trailing_zeros(std::string number) {
  while (number.find('.') != std::string::npos && (number.back() == '0' || number.back() == '.')) {
    const bool was_point = number.back() == '.';
    number.pop_back();
    if (was_point) break;
  }
  return number;
}

}  // namespace

std::string percent(double share) {
  return cat(without_trailing_zeros(absl::StrFormat("%.*f", percent_decimals(share * 100), share * 100)), " %");
}

std::string signed_percent(double share) {
  return cat(without_trailing_zeros(absl::StrFormat("%+.*f", percent_decimals(share * 100), share * 100)), " %");
}

std::string grouped(int64_t number) {
  std::string digits = cat(number);
  const int first = number < 0 ? 1 : 0;
  for (int at = static_cast<int>(digits.size()) - 3; at > first; at -= 3) digits.insert(at, ",");
  return digits;
}

std::string times(double factor) { return absl::StrFormat("%.2g times", factor); }

std::string milliseconds(double ms) { return absl::StrFormat(ms < 10 ? "%.2g ms" : "%.0f ms", ms); }

std::string duration(absl::Duration d) { return absl::FormatDuration(absl::Trunc(d, absl::Seconds(1))); }

std::string replicas(int n) { return cat(n, n == 1 ? " replica" : " replicas"); }

}  // namespace tidegate::rollout
