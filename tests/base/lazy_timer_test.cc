#include "base/lazy_timer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tidegate::base {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A manual clock that counts the timers that are set on it.
class CountingClock : public ManualClock {
 public:
  std::unique_ptr<Timer> after(absl::Duration delay, std::function<void()> fire) override {
    ++timers;
    return ManualClock::after(delay, std::move(fire));
  }
  int timers = 0;
};

class LazyTimerTest : public testing::Test {
 protected:
  void set(absl::Duration delay) { timer.set(start + delay); }

  CountingClock clock;
  const absl::Duration start = clock.uptime();
  std::vector<absl::Duration> fired;  // since the start
  LazyTimer timer{clock, [this] { fired.push_back(clock.uptime() - start); }};
};

TEST_F(LazyTimerTest, FiresOnceAtItsMoment) {
  set(absl::Seconds(3));
  clock.advance(absl::Seconds(10));
  EXPECT_THAT(fired, ElementsAre(absl::Seconds(3)));
}

TEST_F(LazyTimerTest, FiresAtTheLastOfSeveralMomentsAndSetsNoTimerForEach) {
  for (int second = 3; second <= 9; ++second) set(absl::Seconds(second));
  clock.advance(absl::Seconds(20));
  EXPECT_THAT(fired, ElementsAre(absl::Seconds(9)));
  EXPECT_EQ(clock.timers, 2) << "the first, and again when that fired too early";
}

TEST_F(LazyTimerTest, IsSetAnewWhenItMustFireSooner) {
  set(absl::Seconds(9));
  set(absl::Seconds(3));
  clock.advance(absl::Seconds(20));
  EXPECT_THAT(fired, ElementsAre(absl::Seconds(3)));
}

TEST_F(LazyTimerTest, FiresAtOnceWhenItsMomentIsPast) {
  clock.advance(absl::Seconds(5));
  set(absl::Seconds(2));
  clock.advance(absl::ZeroDuration());
  EXPECT_THAT(fired, ElementsAre(absl::Seconds(5)));
}

TEST_F(LazyTimerTest, DoesNotFireWhenItIsCalledOff) {
  set(absl::Seconds(3));
  timer.set(absl::InfiniteDuration());
  clock.advance(absl::Seconds(20));
  EXPECT_THAT(fired, IsEmpty());
  set(absl::Seconds(21));
  clock.advance(absl::Seconds(20));
  EXPECT_THAT(fired, ElementsAre(absl::Seconds(21)));
}

TEST(LazyTimer, MayBeSetAgainWhileItFires) {
  ManualClock clock;
  const absl::Duration start = clock.uptime();
  std::vector<absl::Duration> fired;
  LazyTimer* self = nullptr;
  LazyTimer timer(clock, [&] {
    fired.push_back(clock.uptime() - start);
    if (fired.size() < 3) self->set(clock.uptime() + absl::Seconds(1));
  });
  self = &timer;
  timer.set(start + absl::Seconds(1));
  clock.advance(absl::Seconds(20));
  EXPECT_THAT(fired, ElementsAre(absl::Seconds(1), absl::Seconds(2), absl::Seconds(3)));
}

TEST(LazyTimer, NeverFiresAfterItIsDestroyed) {
  ManualClock clock;
  bool fired = false;
  {
    LazyTimer timer(clock, [&] { fired = true; });
    timer.set(clock.uptime() + absl::Seconds(1));
  }
  clock.advance(absl::Seconds(20));
  EXPECT_FALSE(fired);
}

}  // namespace
}  // namespace tidegate::base
