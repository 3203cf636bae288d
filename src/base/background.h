#pragma once
// Pure work that takes too long for the loop, done on a thread beside it: a list of 20,000 objects takes a quarter of a
// second to read, which is a quarter of a second without a heartbeat, a webhook's answer or a rollback.
//
// main.cc makes the thread. Where there is none (simulations, most tests) the work is done in place, so that the order
// of everything stays the same from run to run.
#include <utility>

#include <boost/asio/thread_pool.hpp>

#include <functional>

#include "base/loop.h"
#include "base/task.h"

namespace tidegate::base {

class BackgroundThread {
 public:
  // Starts the thread. `loop` must outlive it.
  explicit BackgroundThread(Loop& loop) : loop_(loop) {}
  // Ends when the work in hand is done; what waits is dropped.
  ~BackgroundThread();

  // Resumes on the loop after `work` has run on the thread. One piece of work at a time, in the order they came. The
  // caller may be gone before its work is done, so `work` must own all that it touches.
  Task<void> run(std::function<void()> work);

 private:
  Loop& loop_;
  boost::asio::thread_pool thread_{1};
};

// On `thread`, or here and now when that is null.
Task<void> run_beside(BackgroundThread* thread, std::function<void()> work);

}  // namespace tidegate::base
