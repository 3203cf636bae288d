#pragma once
// The interpreters of one model: as many as run at once, made when they are needed, at most `limit`. Whoever finds all
// of them at work waits.
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "serving-runtime/backends/backend_support.h"
#include "serving-runtime/backends/litert/litert_instance.h"

namespace tidegate::serving::litert {

class InstancePool {
 public:
  using Make = std::function<Failure(std::unique_ptr<Instance>&)>;

  // `limit` >= 1. Instances that may be used only once are not kept.
  InstancePool(size_t limit, bool single_use, Make make)
      : limit_(limit), single_use_(single_use), make_(std::move(make)) {}

  // An instance for one run; given back when it goes out of scope. After a failure it is not used again: what it left
  // behind is not known.
  class Lease {
   public:
    Lease() = default;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (pool_) pool_->give_back(std::move(instance_), good_);
    }
    Instance& operator*() const { return *instance_; }
    Instance* operator->() const { return instance_.get(); }
    void keep() { good_ = true; }

   private:
    friend class InstancePool;
    InstancePool* pool_ = nullptr;
    std::unique_ptr<Instance> instance_;
    bool good_ = false;
  };

  // The error is that of making an instance.
  Failure take(Lease& lease);
  // One that was made elsewhere.
  void add(std::unique_ptr<Instance> instance);

 private:
  void give_back(std::unique_ptr<Instance> instance, bool good);

  const size_t limit_;
  const bool single_use_;
  const Make make_;
  std::mutex mutex_;
  std::condition_variable freed_;
  size_t leased_ = 0;
  std::vector<std::unique_ptr<Instance>> idle_;  // the last one used is the next to be used: its memory is warm
};

}  // namespace tidegate::serving::litert
