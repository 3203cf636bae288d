#pragma once
// What a version of a model has done since it was loaded: how many requests ended how, and where their time went. The
// words are those of Triton's statistics extension, which api/oip/model_statistics.h tells clients.
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <mutex>

namespace tidegate::serving {

// Where the time of one answered request went. Parts that no one measured are zero.
struct InferenceTimes {
  absl::Duration total;   // from the whole request read to its answer made
  absl::Duration queue;   // waiting for its turn
  absl::Duration input;   // decoding
  absl::Duration infer;   // the model itself
  absl::Duration output;  // encoding
};

// How often, and how long all those times together.
struct TotalTime {
  uint64_t count = 0;
  absl::Duration time;

  void add(absl::Duration one) { ++count, time += one; }
};

// Thread-safe.
class InferenceStatistics {
 public:
  struct Totals {
    TotalTime success, fail;                // requests
    TotalTime queue, input, infer, output;  // of those that succeeded
    uint64_t executions = 0;                // runs of the model for them; more than requests when one needs several
    absl::Time last_request = absl::InfinitePast();
  };

  // `now`: the wall clock, when the answer was made.
  void succeeded(const InferenceTimes& times, uint64_t executions, absl::Time now);
  void failed(absl::Duration total, absl::Time now);
  Totals read() const;
  // About what eight of nine requests have taken lately at most, without the wait for their turn: a few that are
  // interrupted do not move it, one that takes long does for a hundred or more. Infinite before the first request that
  // succeeded. Without a lock.
  absl::Duration typical_work() const;

 private:
  static constexpr int64_t kNone = -1;

  std::atomic<int64_t> typical_work_ns_ = kNone;
  mutable std::mutex mutex_;
  Totals totals_;
};

}  // namespace tidegate::serving
