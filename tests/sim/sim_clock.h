#pragma once
// A replica's own clock: the world's time, a wall clock that may be off, and timers that fire only when the replica is
// allowed to run. A replica that was stopped finds all of its timers due at once.
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "base/clock.h"

namespace tidegate::sim {

class SimClock : public base::Clock {
 public:
  // `skew`: how far its wall clock is ahead of the world's.
  explicit SimClock(absl::Time start, absl::Duration skew = absl::ZeroDuration()) : truth_(start), skew_(skew) {}

  absl::Time now() const override { return truth_ + skew_; }
  absl::Duration uptime() const override { return truth_ - absl::UnixEpoch(); }
  std::unique_ptr<Timer> after(absl::Duration delay, std::function<void()> fire) override;

  // In the world's time; InfiniteFuture when no timer is set.
  absl::Time next_due() const;
  // Time is `truth` from now on; nothing fires.
  void set(absl::Time truth) { truth_ = std::max(truth_, truth); }
  // Fires what is due, in order, timers that this sets included.
  void fire_due();
  absl::Time truth() const { return truth_; }

 private:
  struct Handle;
  using Key = std::pair<absl::Time, uint64_t>;
  absl::Time truth_;
  absl::Duration skew_;
  uint64_t next_id_ = 0;
  std::map<Key, std::function<void()>> timers_;
};

}  // namespace tidegate::sim
