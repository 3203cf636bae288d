#pragma once
// The threads that read and answer REST requests, each with connections of its own and a cohort of the quick
// predictions among their requests. What takes longer they hand to other threads. serve/command.cc makes them.
#include <memory>
#include <vector>

#include "serving-runtime/core/cohort.h"

namespace boost::asio {
class io_context;
}

namespace tidegate::serving {

class PollingThreads {
 public:
  // `count` >= 1.
  PollingThreads(size_t count, Cohort::Takes takes);
  ~PollingThreads();

  // One each.
  std::vector<boost::asio::io_context*> contexts();
  // Runs no more handlers, and waits for those that run.
  void stop();

 private:
  class One;

  std::vector<std::unique_ptr<One>> threads_;
};

}  // namespace tidegate::serving
