#include "serving-runtime/serve/loading.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <utility>

namespace tidegate::serving {
namespace {

// Above the niceness of the process: one that was started with a niceness of its own keeps the distance.
void be_nicer() {
  constexpr int kNicer = 10;
  const auto self = static_cast<id_t>(gettid());
  setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + kNicer);
}

// The last half of the cores that the process may use; where there is but one, requests share it with loads.
void leave_half_the_cores() {
  cpu_set_t all, last;
  CPU_ZERO(&last);
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  int left = CPU_COUNT(&all) / 2;
  for (int core = CPU_SETSIZE - 1; core >= 0 && left > 0; --core) {
    if (!CPU_ISSET(core, &all)) continue;
    CPU_SET(core, &last);
    --left;
  }
  if (CPU_COUNT(&last) > 0) sched_setaffinity(0, sizeof last, &last);
}

BackendSet::Run waiting(ServingBackends::Post post) {
  return [post = std::move(post)](const std::function<void()>& work) {
    const auto done = std::make_shared<std::promise<void>>();  // which the other thread may let go of last
    post([&work, done] {
      work();
      done->set_value();
    });
    done->get_future().wait();
  };
}

}  // namespace

// A backend whose models have threads of their own.
class ServingBackends::LoadsElsewhere : public Backend {
 public:
  LoadsElsewhere(const Backend& backend, const BackendSet::Run& run_there) : backend_(backend), run_there_(run_there) {}
  std::string name() const override { return backend_.name(); }
  std::string library_version() const override { return backend_.library_version(); }
  absl::StatusOr<std::unique_ptr<LoadedModel>> load(const std::string& folder) const override {
    // There is one thread more than requests need.
    std::lock_guard one_at_a_time(mutex_);
    absl::StatusOr<std::unique_ptr<LoadedModel>> loaded;
    run_there_([&] { loaded = backend_.load(folder); });
    return loaded;
  }

 private:
  const Backend& backend_;
  const BackendSet::Run& run_there_;
  mutable std::mutex mutex_;
};

ServingBackends::ServingBackends(const BackendFlags& flags, Post post)
    : run_there_(waiting(std::move(post))),
      litert_starts_threads_(flags.litert_threads != 1),
      backends_(flags, run_there_) {}

ServingBackends::~ServingBackends() = default;

absl::StatusOr<const Backend*> ServingBackends::for_folder(const std::string& folder) {
  absl::StatusOr<const Backend*> backend = backends_.for_folder(folder);
  if (!backend.ok() || !litert_starts_threads_ || (*backend)->name() != backend_for(model::Format::kTflite)) {
    return backend;
  }
  std::lock_guard lock(mutex_);
  if (!litert_) litert_ = std::make_unique<const LoadsElsewhere>(**backend, run_there_);
  return litert_.get();
}

LoadThreads::LoadThreads(ModelRepository& repository, uint32_t count) : repository_(repository) {
  for (uint32_t i = 0; i < std::max(1u, count); ++i) {
    threads_.emplace_back([this] {
      pthread_setname_np(pthread_self(), "tidegate-load");
      be_nicer();
      leave_half_the_cores();
      repository_.run();
    });
  }
}

LoadThreads::~LoadThreads() {
  repository_.stop();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace tidegate::serving
