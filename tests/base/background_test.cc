#include "base/background.h"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>

#include <chrono>
#include <future>
#include <thread>

namespace tidegate::base {
namespace {

struct Trace {
  std::thread::id worked, resumed;
};

Task<void> work_in(BackgroundThread* thread, Trace* trace) {
  std::function<void()> work = [trace] { trace->worked = std::this_thread::get_id(); };
  co_await run_beside(thread, work);
  trace->resumed = std::this_thread::get_id();
}

// Runs the loop until `done`; false after 20 s.
template <class Done>
bool run_until(Loop& loop, Done done) {
  auto guard = boost::asio::make_work_guard(loop.context());
  for (int i = 0; i < 2000 && !done(); ++i) {
    loop.context().restart();
    loop.context().run_one_for(std::chrono::milliseconds(10));
  }
  return done();
}

TEST(BackgroundThread, WorksBesideTheLoopAndComesBackToIt) {
  Loop loop;
  BackgroundThread thread(loop);
  Trace trace;
  loop.spawn(work_in(&thread, &trace));
  ASSERT_TRUE(run_until(loop, [&] { return trace.resumed != std::thread::id(); }));
  EXPECT_NE(trace.worked, std::this_thread::get_id());
  EXPECT_EQ(trace.resumed, std::this_thread::get_id());
}

TEST(BackgroundThread, LeavesTheLoopFreeMeanwhile) {
  Loop loop;
  BackgroundThread thread(loop);
  std::promise<void> go_on;
  auto waits = std::make_shared<std::future<void>>(go_on.get_future());
  loop.spawn(thread.run([waits] { waits->wait(); }));
  bool turned = false;
  loop.post([&] { turned = true; });
  EXPECT_TRUE(run_until(loop, [&] { return turned; }));
  go_on.set_value();
}

TEST(BackgroundThread, IsNotNeeded) {
  Loop loop;
  Trace trace;
  loop.spawn(work_in(nullptr, &trace));
  loop.run_ready();
  EXPECT_EQ(trace.worked, std::this_thread::get_id());
  EXPECT_EQ(trace.resumed, std::this_thread::get_id());
}

TEST(BackgroundThread, MayEndWhileWorkWaits) {
  Loop loop;
  {
    BackgroundThread thread(loop);
    for (int i = 0; i < 100; ++i) loop.spawn(thread.run([] {}));
    loop.run_ready();
  }
  loop.run_ready();
}

}  // namespace
}  // namespace tidegate::base
