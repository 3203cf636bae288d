#include "sim/sim_clock.h"

#include <algorithm>

namespace tidegate::sim {

struct SimClock::Handle : base::Clock::Timer {
  Handle(SimClock* clock, Key key) : clock(clock), key(key) {}
  ~Handle() override { clock->timers_.erase(key); }
  SimClock* clock;
  Key key;
};

std::unique_ptr<base::Clock::Timer> SimClock::after(absl::Duration delay, std::function<void()> fire) {
  const Key key{truth_ + std::max(delay, absl::ZeroDuration()), next_id_++};
  timers_.emplace(key, std::move(fire));
  return std::make_unique<Handle>(this, key);
}

absl::Time SimClock::next_due() const {
  return timers_.empty() ? absl::InfiniteFuture() : timers_.begin()->first.first;
}

void SimClock::fire_due() {
  while (next_due() <= truth_) {
    auto first = timers_.begin();
    auto fire = std::move(first->second);
    timers_.erase(first);
    fire();
  }
}

}  // namespace tidegate::sim
