#include "serving-runtime/tools/latencies.h"

#include <algorithm>
#include <cmath>

namespace tidegate::serving {

absl::Duration Latencies::quantile(double share) {
  if (seconds_.empty()) return absl::ZeroDuration();
  const double rank = std::ceil(share * static_cast<double>(seconds_.size()));
  const auto at = seconds_.begin() + static_cast<std::ptrdiff_t>(std::max(1.0, rank)) - 1;
  std::nth_element(seconds_.begin(), at, seconds_.end());
  return absl::Seconds(*at);
}

}  // namespace tidegate::serving
