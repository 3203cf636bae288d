#pragma once
// What a version of a model has done since it was loaded: how many requests ended how, and where their time went. The
// words are those of Triton's statistics extension, which api/oip/descriptions.h tells clients.
#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

namespace tidegate::serving {

// Where the time of one request went that the model answered. Parts that no one measured are zero.
struct InferenceTimes {
  absl::Duration total;                      // from the whole request read to its answer made
  absl::Duration queue;                      // waiting for its turn
  absl::Duration input;                      // decoding
  absl::Duration infer;                      // the model itself
  absl::Duration output;                     // encoding
  std::optional<absl::Duration> cache = {};  // looking for the answer and keeping it; unset: there is no cache
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
    TotalTime success, fail;         // requests
    TotalTime queue;                 // of those that succeeded
    TotalTime input, infer, output;  // of those of them that the model answered
    TotalTime cache_hit;             // of the others, that a cache answered: all but the queue
    TotalTime cache_miss;            // of those that the model answered because the cache could not
    uint64_t executions = 0;         // runs of the model; more than requests when one needs several
    absl::Time last_request = absl::InfinitePast();
  };

  // `now`: the wall clock, when the answer was made.
  void succeeded(const InferenceTimes& times, uint64_t executions, absl::Time now);
  // The same of a request that a cache answered.
  void recalled(absl::Duration total, absl::Duration queue, absl::Time now);
  void failed(absl::Duration total, absl::Time now);
  Totals read() const;
  // About what eight of nine requests have taken lately at most, without the wait for their turn: a few that are
  // interrupted do not move it, one that takes long does for a hundred or more. Infinite before the first request that
  // succeeded. Without a lock.
  absl::Duration typical_work() const;

 private:
  static constexpr int64_t kNone = -1;

  void note_work(absl::Duration took);

  std::atomic<int64_t> typical_work_ns_ = kNone;
  mutable std::mutex mutex_;
  Totals totals_;
};

}  // namespace tidegate::serving
