#include "serving-runtime/core/inference_statistics.h"

#include <algorithm>

namespace tidegate::serving {

void InferenceStatistics::note_work(absl::Duration took) {
  const int64_t work = absl::ToInt64Nanoseconds(took), typical = typical_work_ns_.load(std::memory_order_relaxed);
  // Where one of nine is above, it stays: eight steps down undo one up. What takes a tenth of a second, which no
  // interruption explains, counts at once.
  const int64_t up = std::max(std::min(work, typical + typical / 8 + 1), work / 1000), down = typical - typical / 64;
  const int64_t next = typical == kNone ? work : work > typical ? up : down;
  typical_work_ns_.store(next, std::memory_order_relaxed);
}

void InferenceStatistics::succeeded(const InferenceTimes& times, uint64_t executions, absl::Time now) {
  note_work(times.total - times.queue);
  std::lock_guard lock(mutex_);
  totals_.success.add(times.total);
  totals_.queue.add(times.queue);
  totals_.input.add(times.input);
  totals_.infer.add(times.infer);
  totals_.output.add(times.output);
  if (times.cache) totals_.cache_miss.add(*times.cache);
  totals_.executions += executions;
  totals_.last_request = now;
}

void InferenceStatistics::recalled(absl::Duration total, absl::Duration queue, absl::Time now) {
  note_work(total - queue);
  std::lock_guard lock(mutex_);
  totals_.success.add(total);
  totals_.queue.add(queue);
  totals_.cache_hit.add(total - queue);
  totals_.last_request = now;
}

absl::Duration InferenceStatistics::typical_work() const {
  const int64_t typical = typical_work_ns_.load(std::memory_order_relaxed);
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
