#include "serving-runtime/server/request_threads.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace tidegate::serving {

namespace asio = boost::asio;

RequestThreads::RequestThreads(size_t count) : guard_(asio::make_work_guard(context_)) {
  for (size_t i = 0; i < count; ++i) threads_.emplace_back([this] { context_.run(); });
}

void RequestThreads::post(std::function<void()> work) { asio::post(context_, std::move(work)); }

void RequestThreads::stop() {
  context_.stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace tidegate::serving
