#pragma once
// Which objects need another look: a queue in which a key stands at most once, is worked on by one worker at a time,
// and waits longer after each failure. Store handlers add, controllers pop. Loop thread only.
//
//   add ─► dirty, queued ─► pop ─► processing ─► done        (added again while processing: queued at done)
#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/lazy_timer.h"
#include "base/object_key.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/metrics.h"

namespace tidegate::kube {

struct WorkQueueOptions {
  // After the n-th failure in a row a key waits base·2^(n-1), at most max.
  absl::Duration base_delay = absl::Milliseconds(5);
  absl::Duration max_delay = absl::Seconds(1000);
  // Overall bucket for retries: this many a second, after a burst.
  double retries_per_second = 10;
  double retry_burst = 100;
};

struct WorkQueueMetrics {
  uint64_t adds = 0;                // keys that came into the queue
  uint64_t retries = 0;             // add_rate_limited
  DurationHistogram queue_latency;  // from being queued to pop
  DurationHistogram work_duration;  // from pop to done
};

class WorkQueue {
 public:
  // Delays from kLong on end together, see add_with_others.
  static constexpr absl::Duration kLong = absl::Seconds(30);
  static constexpr absl::Duration kTogether = absl::Seconds(10);

  explicit WorkQueue(base::Clock& clock, WorkQueueOptions options = {});

  void add(const base::ObjectKey& key);
  // After `delay` of monotonic time; the earlier of two delayed adds of a key wins. Not positive: at once.
  void add_after(const base::ObjectKey& key, absl::Duration delay);
  // The same for a look of which only the frequency matters (a resync, a poll): a delay of kLong or more ends up to
  // kTogether later, with all others that are due by then. Many keys, each at a moment of its own, keep the process
  // from sleeping, and what is done after a sleep costs several times as much as the same in a row.
  void add_with_others(const base::ObjectKey& key, absl::Duration delay);
  // After the delay that the key's failures and the overall bucket ask for; counts one failure.
  void add_rate_limited(const base::ObjectKey& key);
  // The key succeeded: its failures are forgotten.
  void forget(const base::ObjectKey& key);
  int failures(const base::ObjectKey& key) const;

  // The key that waited longest, now being processed; every pop needs a done. CANCELLED when the scope ends.
  base::Task<absl::StatusOr<base::ObjectKey>> pop(base::Scope& scope);
  void done(const base::ObjectKey& key);

  size_t depth() const { return queue_.size(); }
  size_t processing() const { return processing_.size(); }
  size_t delayed() const { return delayed_.size(); }
  // How long the longest-running worker has been at it; zero when none is.
  absl::Duration longest_running() const;
  const WorkQueueMetrics& metrics() const { return metrics_; }

 private:
  void enqueue(const base::ObjectKey& key);
  void hand_out();
  base::ObjectKey take();
  void add_at(const base::ObjectKey& key, absl::Duration due);
  void release_due();
  absl::Duration reserve_retry();

  base::Clock& clock_;
  WorkQueueOptions options_;
  WorkQueueMetrics metrics_;
  std::deque<base::ObjectKey> queue_;
  absl::flat_hash_map<base::ObjectKey, absl::Duration> dirty_;       // and since when (uptime)
  absl::flat_hash_map<base::ObjectKey, absl::Duration> processing_;  // and since when
  absl::flat_hash_map<base::ObjectKey, int> failures_;
  std::set<std::pair<absl::Duration, base::ObjectKey>> due_;  // by uptime
  absl::flat_hash_map<base::ObjectKey, absl::Duration> delayed_;
  base::LazyTimer timer_;  // of the first that is due
  std::deque<base::Promise<absl::Status>> waiters_;
  size_t woken_ = 0;  // waiters that were told of a key and have not run yet; each will take one
  double retry_tokens_;
  absl::Duration retry_tokens_at_;
};

}  // namespace tidegate::kube
