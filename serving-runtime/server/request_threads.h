#pragma once
// The threads that run requests which would keep those that poll (polling_threads.h) busy.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace tidegate::serving {

class RequestThreads {
 public:
  explicit RequestThreads(size_t count);
  ~RequestThreads() { stop(); }

  // Runs `work` on one of them, soon. Any thread.
  void post(std::function<void()> work);
  // Runs nothing more, and waits for what runs.
  void stop();

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::vector<std::thread> threads_;
};

}  // namespace tidegate::serving
