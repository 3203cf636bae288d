#include "serving-runtime/backends/litert/instance_pool.h"

namespace tidegate::serving::litert {

Failure InstancePool::take(Lease& lease) {
  {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [this] { return leased_ < limit_; });
    ++leased_;
    lease.pool_ = this;
    if (!idle_.empty()) {
      lease.instance_ = std::move(idle_.back());
      idle_.pop_back();
      return {};
    }
  }
  return make_(lease.instance_);
}

void InstancePool::add(std::unique_ptr<Instance> instance) {
  std::lock_guard lock(mutex_);
  idle_.push_back(std::move(instance));
}

void InstancePool::give_back(std::unique_ptr<Instance> instance, bool good) {
  // Freed before the next one is made, so that there are never more than `limit`.
  if (!good || single_use_) instance.reset();
  {
    std::lock_guard lock(mutex_);
    --leased_;
    if (instance) idle_.push_back(std::move(instance));
  }
  freed_.notify_one();
}

}  // namespace tidegate::serving::litert
