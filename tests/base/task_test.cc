#include "base/task.h"

#include <gtest/gtest.h>

#include "base/loop.h"

namespace tidegate::base {
namespace {

struct World {
  ManualClock clock;
  Loop loop;
  Scope scope;
  absl::Status status = absl::UnknownError("not finished");
};

Task<void> sleep_in(World* world, absl::Duration duration) {
  world->status = co_await sleep_for(world->clock, duration, world->scope);
}

Task<void> wait_in(World* world, Signal* signal, absl::Duration timeout) {
  world->status = co_await signal->wait(world->clock, timeout, world->scope);
}

TEST(SleepFor, EndsWhenTheClockHasMovedFarEnough) {
  World world;
  world.loop.spawn(sleep_in(&world, absl::Seconds(5)));
  world.loop.run_ready();
  world.clock.advance(absl::Seconds(4));
  world.loop.run_ready();
  EXPECT_TRUE(absl::IsUnknown(world.status));
  world.clock.advance(absl::Seconds(1));
  world.loop.run_ready();
  EXPECT_TRUE(world.status.ok());
}

TEST(SleepFor, EndsAtOnceWhenTheScopeIsCancelled) {
  World world;
  world.loop.spawn(sleep_in(&world, absl::Seconds(5)));
  world.loop.run_ready();
  world.scope.cancel();
  world.loop.run_ready();
  EXPECT_TRUE(absl::IsCancelled(world.status));
}

TEST(Signal, KeepsANotificationThatCameBeforeTheWaiter) {
  World world;
  Signal signal;
  signal.notify();
  world.loop.spawn(wait_in(&world, &signal, absl::InfiniteDuration()));
  world.loop.run_ready();
  EXPECT_TRUE(world.status.ok());
}

TEST(Signal, WakesItsWaiterOrTimesOut) {
  World world;
  Signal signal;
  world.loop.spawn(wait_in(&world, &signal, absl::Seconds(1)));
  world.loop.run_ready();
  signal.notify();
  world.loop.run_ready();
  EXPECT_TRUE(world.status.ok());

  world.loop.spawn(wait_in(&world, &signal, absl::Seconds(1)));
  world.loop.run_ready();
  world.clock.advance(absl::Seconds(2));
  world.loop.run_ready();
  EXPECT_TRUE(absl::IsDeadlineExceeded(world.status));
}

TEST(Signal, KeepsANotificationForTheNextWaitWhenItsWaiterHasJustTimedOut) {
  World world;
  Signal signal;
  world.loop.spawn(wait_in(&world, &signal, absl::Seconds(1)));
  world.loop.run_ready();
  world.clock.advance(absl::Seconds(1));  // timed out, and has not run yet
  signal.notify();
  world.loop.run_ready();
  EXPECT_TRUE(absl::IsDeadlineExceeded(world.status));
  world.loop.spawn(wait_in(&world, &signal, absl::Seconds(1)));
  world.loop.run_ready();
  EXPECT_TRUE(world.status.ok());
}

TEST(ManualClock, FiresTimersInOrderIncludingThoseSetOnTheWay) {
  ManualClock clock;
  std::vector<int> fired;
  std::unique_ptr<Clock::Timer> late = clock.after(absl::Seconds(3), [&] { fired.push_back(3); });
  std::unique_ptr<Clock::Timer> nested;
  auto early = clock.after(absl::Seconds(1), [&] {
    fired.push_back(1);
    nested = clock.after(absl::Seconds(1), [&] { fired.push_back(2); });
  });
  auto dropped = clock.after(absl::Seconds(1), [&] { fired.push_back(99); });
  dropped.reset();
  clock.advance(absl::Seconds(3));
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
}

TEST(SystemClock, FiresOnTheLoopAndNotAfterItsTimerIsGone) {
  Loop loop;
  SystemClock clock(loop.context());
  bool dropped_fired = false;
  auto dropped = clock.after(absl::ZeroDuration(), [&] { dropped_fired = true; });
  dropped.reset();
  auto timer = clock.after(absl::Milliseconds(1), [&] { loop.stop(); });
  loop.run();
  EXPECT_FALSE(dropped_fired);
}

}  // namespace
}  // namespace tidegate::base
