#pragma once
// The only source of time. Control logic asks a Clock, so a simulated run differs from a real one by the clock alone.
// Only main.cc makes a SystemClock; tests make a ManualClock.
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace tidegate::base {

class Clock {
 public:
  // Destroying it cancels the timer; `fire` never runs afterwards.
  class Timer {
   public:
    virtual ~Timer() = default;
  };

  virtual ~Clock() = default;
  // Wall clock. May jump; compare with stored times, never measure short intervals with it.
  virtual absl::Time now() const = 0;
  // Monotonic, since an arbitrary start.
  virtual absl::Duration uptime() const = 0;
  // Runs `fire` once, on the loop's thread, after at least `delay` (negative counts as zero) of monotonic time.
  [[nodiscard]] virtual std::unique_ptr<Timer> after(absl::Duration delay, std::function<void()> fire) = 0;
};

// Real time on an Asio loop.
class SystemClock : public Clock {
 public:
  explicit SystemClock(boost::asio::io_context& context) : context_(context) {}
  absl::Time now() const override;
  absl::Duration uptime() const override;
  std::unique_ptr<Timer> after(absl::Duration delay, std::function<void()> fire) override;

 private:
  boost::asio::io_context& context_;
};

// Time that moves only when it is told to. Timers of one instant fire in the order they were set.
class ManualClock : public Clock {
 public:
  explicit ManualClock(absl::Time start = absl::FromUnixSeconds(1'700'000'000)) : now_(start) {}
  absl::Time now() const override { return now_; }
  absl::Duration uptime() const override { return now_ - absl::UnixEpoch(); }
  std::unique_ptr<Timer> after(absl::Duration delay, std::function<void()> fire) override;
  // Fires, in order, everything due within `duration`, timers set on the way included.
  void advance(absl::Duration duration);
  // When the next timer is due; InfiniteFuture when none is set.
  absl::Time next_due() const;

 private:
  struct Handle;
  using Key = std::pair<absl::Time, uint64_t>;
  absl::Time now_;
  uint64_t next_id_ = 0;
  std::map<Key, std::function<void()>> timers_;
};

}  // namespace tidegate::base
