#pragma once
// The event loop: one thread runs all control logic, so the logic needs no locks. main.cc makes it.
#include <utility>

#include <boost/asio/io_context.hpp>

#include <functional>

#include "base/task.h"

namespace tidegate::base {

class Loop {
 public:
  boost::asio::io_context& context() { return context_; }

  // Any thread. Runs `function` on the loop's thread, never before this returns.
  void post(std::function<void()> function);
  // Starts a coroutine on the loop. An exception that escapes it is a bug: logged, then the process ends.
  void spawn(Task<void> task);

  // Runs until stop() (from any thread or a handler).
  void run();
  void stop() { context_.stop(); }

  // For tests: runs everything that is ready; with a ManualClock this is all until time moves. Returns what ran.
  size_t run_ready();

 private:
  boost::asio::io_context context_{1};
};

}  // namespace tidegate::base
