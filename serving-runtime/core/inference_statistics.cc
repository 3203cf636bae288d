#include "serving-runtime/core/inference_statistics.h"

namespace tidegate::serving {

void InferenceStatistics::succeeded(const InferenceTimes& times, uint64_t executions, absl::Time now) {
  const int64_t infer = absl::ToInt64Nanoseconds(times.infer),
                typical = typical_infer_ns_.load(std::memory_order_relaxed);
  // A step of a sixteenth towards each: where as many are above as below, it stays.
  const int64_t next = typical == kNone ? infer : infer > typical ? typical + typical / 16 + 1 : typical - typical / 16;
  typical_infer_ns_.store(next, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  totals_.success.add(times.total);
  totals_.queue.add(times.queue);
  totals_.input.add(times.input);
  totals_.infer.add(times.infer);
  totals_.output.add(times.output);
  totals_.executions += executions;
  totals_.last_request = now;
}

absl::Duration InferenceStatistics::typical_infer() const {
  const int64_t typical = typical_infer_ns_.load(std::memory_order_relaxed);
  return typical == kNone ? absl::InfiniteDuration() : absl::Nanoseconds(typical);
}

void InferenceStatistics::failed(absl::Duration total, absl::Time now) {
  std::lock_guard lock(mutex_);
  totals_.fail.add(total);
  totals_.last_request = now;
}

InferenceStatistics::Totals InferenceStatistics::read() const {
  std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace tidegate::serving
