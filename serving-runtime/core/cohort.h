#pragma once
// Quick predictions that a thread runs which polls connections: a few that have arrived are run one after the other,
// and only then answered one after the other. So the code and data of the model's library stay in the caches from one
// run to the next, and those of the protocol from one answer to the next; taken in turn they drive each other out,
// which costs a small model more than its run (Larus and Parkes, "Using Cohort Scheduling to Enhance Server
// Performance", USENIX 2002). The members are few and quick, so that the first one's answer does not wait for long.
//
// Threads that poll make one each: server/grpc_server.cc and server/polling_threads.h. api/admission.h fills it.
#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace tidegate::serving {

class Cohort {
 public:
  using Work = absl::AnyInvocable<void()>;

  // What may keep a polling thread from its other connections: a prediction of a version that takes no longer, with a
  // request that is no larger. Handing a prediction over to another thread costs about 10 us.
  static constexpr absl::Duration kQuick = absl::Microseconds(100);
  static constexpr size_t kQuickBytes = 32 << 10;
  // A cohort runs as soon as it has so many members, or is expected to take longer than kQuick in all.
  static constexpr size_t kMostMembers = 8;

  // Which predictions the thread runs itself: none is right where requests wait for one another, as for a batch.
  enum class Takes { kQuickOnes, kNone };

  // The cohort of this thread, the only one, until it is destroyed on it. `on_first` (may be null) is called with each
  // first member, and has run() called, on this thread, when what has arrived meanwhile has been read.
  Cohort(Takes takes, std::function<void()> on_first);
  ~Cohort();
  Cohort(const Cohort&) = delete;
  Cohort& operator=(const Cohort&) = delete;

  // Null: this thread may be kept busy for as long as a request takes.
  static Cohort* of_this_thread();

  bool takes(absl::Duration expected, size_t request_bytes) const {
    return takes_ == Takes::kQuickOnes && expected <= kQuick && request_bytes <= kQuickBytes;
  }
  // `work` runs at the latest in run(); now, with those before it, when the cohort is full.
  void add(absl::Duration expected, Work work);
  bool empty() const { return members_.empty(); }
  void run();

  // Calls `send` when the cohort that runs on this thread is through; now where none runs.
  static void answer(Work send);

 private:
  const Takes takes_;
  const std::function<void()> on_first_;
  std::vector<Work> members_;
  std::vector<Work> answers_;
  absl::Duration expected_;  // of all members
  bool running_ = false;
};

}  // namespace tidegate::serving
