#include "base/lazy_timer.h"

#include <utility>

namespace tidegate::base {

void LazyTimer::set(absl::Duration uptime) {
  wanted_ = uptime;
  arm();
}

void LazyTimer::arm() {
  if (wanted_ == absl::InfiniteDuration()) return;
  if (timer_ != nullptr && timer_at_ <= wanted_) return;
  timer_at_ = wanted_;
  timer_ = clock_.after(wanted_ - clock_.uptime(), [this] { on_timer(); });
}

void LazyTimer::on_timer() {
  timer_.reset();
  if (clock_.uptime() < wanted_) return arm();
  wanted_ = absl::InfiniteDuration();
  fire_();
}

}  // namespace tidegate::base
