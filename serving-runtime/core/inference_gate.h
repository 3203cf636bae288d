#pragma once
// How many inferences run at once. Front ends decode and run a request on the thread that read it, without a hop,
// unless that thread has others to read meanwhile; when all slots are taken, or all that one model may have, the
// request waits in a queue; whoever ends one hands the slot on to the one that has waited longest and may run. Servers
// have more threads than slots, so health and status answer while every slot computes.
#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace tidegate::serving {

struct GateLimits {
  size_t slots = 1;            // >= 1
  size_t max_queued = 0;       // requests that wait beyond them
  size_t slots_per_model = 0;  // 0: as many as there are
};

class InferenceGate {
 public:
  using Work = std::function<void()>;

  // `post` runs work on some other thread: queued work too, so that a connection whose request has ended is not kept
  // waiting by those of others.
  InferenceGate(GateLimits limits, std::function<void(Work)> post) : limits_(limits), post_(std::move(post)) {}

  // Whether the caller's thread may be kept busy for as long as the work takes.
  enum class Place { kHere, kElsewhere };

  // Runs `work` for that model in a free slot, here and now or through `post`, or queues it; RESOURCE_EXHAUSTED (and
  // `work` dropped) when the queue is full. Any thread.
  absl::Status run(std::string_view model, Work work, Place place = Place::kHere);

  size_t queued() const;
  size_t running() const;

 private:
  struct Waiting {
    uint64_t number;  // rises: who came first
    Work work;
  };
  // The requests of one model; of all models when one of them may have all slots.
  struct Lane {
    size_t running = 0;
    std::deque<Waiting> queue;
  };
  using Lanes = std::map<std::string, Lane, std::less<>>;

  // With the lock held.
  Lanes::iterator lane_of(std::string_view model);
  bool has_free_slot(const Lane& lane) const;
  Lanes::iterator next();
  void end(Lanes::iterator lane);
  void drop_if_idle(Lanes::iterator lane);
  // Without it.
  void run_in_slot(Lanes::iterator lane, const Work& work);

  const GateLimits limits_;
  const std::function<void(Work)> post_;
  mutable std::mutex mutex_;
  size_t running_ = 0;
  size_t queued_ = 0;
  uint64_t numbers_ = 0;
  Lanes lanes_;
};

}  // namespace tidegate::serving
