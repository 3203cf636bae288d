#include "base/clock.h"

#include <absl/time/clock.h>

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>

namespace tidegate::base {
namespace {

class SteadyTimer : public Clock::Timer {
 public:
  SteadyTimer(boost::asio::io_context& context, absl::Duration delay, std::function<void()> fire)
      : timer_(context), alive_(std::make_shared<bool>(true)) {
    timer_.expires_after(absl::ToChronoNanoseconds(delay));
    // A timer that has already fired into the loop's queue cannot be cancelled there, hence `alive`.
    timer_.async_wait([fire = std::move(fire), alive = alive_](const boost::system::error_code& error) {
      if (!error && *alive) fire();
    });
  }
  ~SteadyTimer() override { *alive_ = false; }

 private:
  boost::asio::steady_timer timer_;
  std::shared_ptr<bool> alive_;
};

// Due now: through the loop's queue, which costs no call of the kernel as setting its timer does.
class PostedCall : public Clock::Timer {
 public:
  PostedCall(boost::asio::io_context& context, std::function<void()> fire) {
    boost::asio::post(context, [fire = std::move(fire), alive = alive_] {
      if (*alive) fire();
    });
  }
  ~PostedCall() override { *alive_ = false; }

 private:
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

absl::Time SystemClock::now() const { return absl::Now(); }

absl::Duration SystemClock::uptime() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

std::unique_ptr<Clock::Timer> SystemClock::after(absl::Duration delay, std::function<void()> fire) {
  if (delay <= absl::ZeroDuration()) return std::make_unique<PostedCall>(context_, std::move(fire));
  return std::make_unique<SteadyTimer>(context_, delay, std::move(fire));
}

struct ManualClock::Handle : Clock::Timer {
  Handle(ManualClock* clock, Key key) : clock(clock), key(key) {}
  ~Handle() override { clock->timers_.erase(key); }
  ManualClock* clock;
  Key key;
};

std::unique_ptr<Clock::Timer> ManualClock::after(absl::Duration delay, std::function<void()> fire) {
  const Key key{now_ + std::max(delay, absl::ZeroDuration()), next_id_++};
  timers_.emplace(key, std::move(fire));
  return std::make_unique<Handle>(this, key);
}

void ManualClock::advance(absl::Duration duration) {
  const absl::Time end = now_ + duration;
  while (!timers_.empty() && timers_.begin()->first.first <= end) {
    auto first = timers_.begin();
    now_ = std::max(now_, first->first.first);
    auto fire = std::move(first->second);
    timers_.erase(first);
    fire();
  }
  now_ = end;
}

absl::Time ManualClock::next_due() const {
  return timers_.empty() ? absl::InfiniteFuture() : timers_.begin()->first.first;
}

}  // namespace tidegate::base
