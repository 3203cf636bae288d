#include "base/loop.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <cstdlib>
#include <exception>

#include "base/log.h"

namespace tidegate::base {

void Loop::post(std::function<void()> function) { boost::asio::post(context_, std::move(function)); }

void Loop::spawn(Task<void> task) {
  boost::asio::co_spawn(context_, std::move(task), [](std::exception_ptr error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      log_error("uncaught exception in a task", {{"what", e.what()}});
    }
    std::abort();
  });
}

void Loop::run() {
  auto guard = boost::asio::make_work_guard(context_);
  context_.run();
}

size_t Loop::run_ready() {
  context_.restart();
  return context_.poll();
}

}  // namespace tidegate::base
