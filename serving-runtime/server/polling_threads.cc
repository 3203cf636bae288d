#include "serving-runtime/server/polling_threads.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>

namespace tidegate::serving {

namespace asio = boost::asio;

class PollingThreads::One {
 public:
  explicit One(Cohort::Takes takes) : thread_([this, takes] { run(takes); }) {}
  ~One() { stop(); }

  asio::io_context& context() { return context_; }
  void stop() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run(Cohort::Takes takes) {
    // What is posted comes behind the connections that have something to read.
    Cohort cohort(takes, [this, &cohort] { asio::post(context_, [&cohort] { cohort.run(); }); });
    context_.run();
  }

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{context_.get_executor()};
  std::thread thread_;
};

PollingThreads::PollingThreads(size_t count, Cohort::Takes takes) {
  for (size_t i = 0; i < count; ++i) threads_.push_back(std::make_unique<One>(takes));
}

PollingThreads::~PollingThreads() = default;

std::vector<asio::io_context*> PollingThreads::contexts() {
  std::vector<asio::io_context*> contexts;
  for (const auto& thread : threads_) contexts.push_back(&thread->context());
  return contexts;
}

void PollingThreads::stop() {
  for (const auto& thread : threads_) thread->stop();
}

}  // namespace tidegate::serving
