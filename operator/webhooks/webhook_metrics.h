#pragma once
// What the webhook counts about itself; the operator's /metrics reads it. Any thread counts, the loop's observes.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kube/metrics.h"

namespace tidegate::operator_ {

enum class WebhookOutcome {
  kAllowed,
  kWarned,  // allowed, with warnings
  kDenied,
  kMalformed,  // not a review: nobody's object was judged
  kBusy,       // too many at once
};

class WebhookMetrics {
 public:
  static constexpr std::array<const char*, 5> kNames{"allowed", "warned", "denied", "malformed", "busy"};

  void count(WebhookOutcome outcome) { ++counts_[static_cast<size_t>(outcome)]; }
  uint64_t count_of(size_t outcome) const { return counts_[outcome]; }

  // Of reviews that were answered, from the last byte read to the answer. Loop thread only.
  kube::DurationHistogram duration;

 private:
  std::array<std::atomic<uint64_t>, kNames.size()> counts_{};
};

}  // namespace tidegate::operator_
