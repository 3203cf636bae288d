// Latencies in buckets one per cent wide: counts are exact, quantiles are within 1 % of the true value, and a day of
// traffic takes no more memory than a second. Used by Tally for each second and for the whole run.
#pragma once

#include <cstdint>
#include <map>

#include "absl/time/time.h"

namespace tidegate::traffic_generator {

class LatencyHistogram {
 public:
  // Durations below 1 us count as 1 us.
  void Add(absl::Duration latency);
  void Merge(const LatencyHistogram& other);

  // The latency that a share `q` (0 < q <= 1) of the values do not exceed; zero when there are none.
  absl::Duration Quantile(double q) const;
  uint64_t count() const { return count_; }

 private:
  std::map<int, uint64_t> buckets_;  // by index: [1.01^i, 1.01^(i+1)) microseconds
  uint64_t count_ = 0;
};

}  // namespace tidegate::traffic_generator
