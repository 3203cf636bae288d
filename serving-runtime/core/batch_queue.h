#pragma once
// When requests run together: those that arrive while others compute, or within a short while of one another.
//
//   request ─► fits an open batch? ─ yes ─► waits ─────────────────────────────┐
//                  │ no: opens one and leads it                                ▼
//                  └─► until it is full, or old enough ─► until a run is free ─► run ─► results to everyone
//
// The request that opened a batch runs it on its own thread, so a model needs no thread of its own. A batch stays open
// while it waits for a run, so under load batches grow by themselves.
#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

struct BatchRequest {
  std::span<Tensor> inputs;
  int64_t rows = 0;        // of each input
  absl::Duration arrived;  // uptime
  absl::StatusOr<std::vector<Tensor>> result = absl::UnknownError("not run");
};

// The requests of one batch, in the order in which they came. Their threads wait meanwhile.
using BatchRequests = std::span<BatchRequest* const>;

struct BatchLimits {
  int64_t rows = 1;        // of a batch
  absl::Duration timeout;  // the most that the first request of a batch waits for others
  int64_t waiting = 1;     // batches that wait for a run
  int64_t running = 1;     // at once
};

// Any number of threads.
class BatchQueue {
 public:
  explicit BatchQueue(const BatchLimits& limits) : limits_(limits) {}

  // Returns when `request`, which has limits.rows rows at the most, has its result: that of `run`, called once for each
  // batch, by the first of its requests, which must give one to each. Requests of one batch have the same key.
  // RESOURCE_EXHAUSTED: too many batches wait; nothing ran.
  absl::Status submit(const std::string& key, BatchRequest& request, absl::FunctionRef<void(BatchRequests)> run);

 private:
  struct Batch {
    std::vector<BatchRequest*> requests;  // their threads wait until `done`
    int64_t rows = 0;
    bool open = true;
    bool done = false;
    std::condition_variable changed;
  };

  // With the lock held.
  std::shared_ptr<Batch> open_batch(const std::string& key);
  void close(const std::string& key, Batch& batch);
  void lead(const std::string& key, std::unique_lock<std::mutex>& lock, const std::shared_ptr<Batch>& batch,
            absl::FunctionRef<void(BatchRequests)> run);
  bool may_run_next(const Batch& batch) const;
  void wake_next();

  const BatchLimits limits_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Batch>> open_;  // by what must be alike
  std::deque<std::shared_ptr<Batch>> ready_;            // full, or old enough: they run in this order
  int64_t waiting_ = 0;                                 // batches that do not run yet
  int64_t running_ = 0;
};

}  // namespace tidegate::serving
