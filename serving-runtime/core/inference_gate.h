#pragma once
// How many inferences run at once. Front ends decode and run a request on the thread that read it, without a hop; when
// all slots are taken the request waits in a queue; whoever ends one hands the slot on to it. Servers have more threads
// than slots, so health and status answer while every slot computes.
#include <absl/status/status.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace tidegate::serving {

class InferenceGate {
 public:
  using Work = std::function<void()>;

  // `slots` >= 1; `max_queued` requests wait beyond them. `post` runs queued work on some other thread: not here, so
  // that a connection whose request has ended is not kept waiting by those of others.
  InferenceGate(size_t slots, size_t max_queued, std::function<void(Work)> post)
      : slots_(slots), max_queued_(max_queued), post_(std::move(post)) {}

  // Runs `work` here and now, or queues it; RESOURCE_EXHAUSTED (and `work` dropped) when the queue is full. Any thread.
  absl::Status run(Work work);

  size_t queued() const;
  size_t running() const;

 private:
  void run_in_slot(const Work& work);

  const size_t slots_;
  const size_t max_queued_;
  const std::function<void(Work)> post_;
  mutable std::mutex mutex_;
  size_t running_ = 0;
  std::deque<Work> queue_;
};

}  // namespace tidegate::serving
