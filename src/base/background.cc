#include "base/background.h"

#include <boost/asio/post.hpp>

namespace tidegate::base {

BackgroundThread::~BackgroundThread() {
  thread_.stop();
  thread_.join();
}

Task<void> BackgroundThread::run(std::function<void()> work) {
  Promise<bool> done;
  boost::asio::post(thread_, [this, done, work = std::move(work)] {
    work();
    loop_.post([done] { done.set(true); });
  });
  co_await done.wait();
}

Task<void> run_beside(BackgroundThread* thread, std::function<void()> work) {
  if (thread == nullptr) {
    work();
    co_return;
  }
  co_await thread->run(std::move(work));
}

}  // namespace tidegate::base
