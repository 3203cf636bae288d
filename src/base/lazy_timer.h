#pragma once
// A timer for a moment that moves often and mostly further away. Setting a timer is a call of the kernel, so the one
// that runs is replaced only when it would fire too late; one that fires too early is set again then. Used where each
// request or each key moves the moment: net::CurlHttpClient, kube::WorkQueue. Loop thread only.
#include <absl/time/time.h>

#include <functional>
#include <memory>
#include <utility>

#include "base/clock.h"

namespace tidegate::base {

class LazyTimer {
 public:
  // `fire` runs on the loop's thread, and may set the timer again. It never runs after the timer is destroyed.
  LazyTimer(Clock& clock, std::function<void()> fire) : clock_(clock), fire_(std::move(fire)) {}
  LazyTimer(const LazyTimer&) = delete;
  LazyTimer& operator=(const LazyTimer&) = delete;

  // Fires once, at this uptime and no other; one that is past: as soon as the loop comes to it; infinite: never.
  void set(absl::Duration uptime);

 private:
  void arm();
  void on_timer();

  Clock& clock_;
  std::function<void()> fire_;
  absl::Duration wanted_ = absl::InfiniteDuration();
  std::unique_ptr<Clock::Timer> timer_;
  absl::Duration timer_at_ = absl::InfiniteDuration();  // uptime at which timer_ fires, if there is one
};

}  // namespace tidegate::base
