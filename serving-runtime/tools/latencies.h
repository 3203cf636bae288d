#pragma once
// How long requests took, and what of that matters. Pure.
#include <absl/time/time.h>

#include <vector>

namespace tidegate::serving {

class Latencies {
 public:
  void add(absl::Duration latency) { seconds_.push_back(static_cast<float>(absl::ToDoubleSeconds(latency))); }
  void add(const Latencies& others) { seconds_.insert(seconds_.end(), others.seconds_.begin(), others.seconds_.end()); }
  size_t count() const { return seconds_.size(); }

  // The least that `share` (0..1) of them did not exceed (nearest rank); zero without any. Sorts on demand.
  absl::Duration quantile(double share);

 private:
  std::vector<float> seconds_;
};

}  // namespace tidegate::serving
