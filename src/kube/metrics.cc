#include "kube/metrics.h"

#include <algorithm>

namespace tidegate::kube {

void DurationHistogram::observe(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  const auto bucket = std::lower_bound(kBoundsSeconds.begin(), kBoundsSeconds.end(), seconds);
  ++counts_[static_cast<size_t>(bucket - kBoundsSeconds.begin())];
  ++count_;
  sum_seconds_ += seconds;
}

}  // namespace tidegate::kube
