#pragma once
// Numbers that the Kubernetes client keeps about itself; the operator's /metrics reads them. Loop thread only.
#include <absl/time/time.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace tidegate::kube {

struct ClientMetrics {
  // By verb ("get", "list", "watch", "create", "apply", "patch", "update", "delete") and HTTP code; code 0 counts
  // requests that got no answer.
  std::map<std::pair<std::string, int>, uint64_t> requests;
  // By plural name: watches that were opened again after one ended, and full lists after the first.
  std::map<std::string, uint64_t> watch_restarts;
  std::map<std::string, uint64_t> relists;
  // By plural name: objects that our decoder refused.
  std::map<std::string, uint64_t> undecodable_objects;
};

// Counts by duration; bucket i holds what is <= kBounds[i], the last bucket the rest.
class DurationHistogram {
 public:
  static constexpr std::array<double, 12> kBoundsSeconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                         0.1,   0.25,   0.5,   1,    5,     30};

  void observe(absl::Duration duration);
  const std::array<uint64_t, kBoundsSeconds.size() + 1>& counts() const { return counts_; }
  uint64_t count() const { return count_; }
  double sum_seconds() const { return sum_seconds_; }

 private:
  std::array<uint64_t, kBoundsSeconds.size() + 1> counts_{};
  uint64_t count_ = 0;
  double sum_seconds_ = 0;
};

}  // namespace tidegate::kube
