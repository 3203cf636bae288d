#pragma once
// The agenda of the simulated world: what happens next, in order. Everything outside the operator replicas (network,
// kubelet, gateways, users, people, faults) is a function on it. Two entries of one instant run in the order in which
// they were made, so a run repeats itself.
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace tidegate::sim {

class Schedule {
 public:
  explicit Schedule(absl::Time start) : now_(start) {}

  absl::Time now() const { return now_; }
  void at(absl::Time time, std::function<void()> what) {
    entries_.emplace(std::pair{std::max(time, now_), next_++}, std::move(what));
  }
  void after(absl::Duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }

  // InfiniteFuture when nothing is left.
  absl::Time next_due() const { return entries_.empty() ? absl::InfiniteFuture() : entries_.begin()->first.first; }
  // Moves time to `time` without running anything.
  void advance_to(absl::Time time) { now_ = std::max(now_, time); }
  // Runs the first entry if it is due by now; false when none is.
  bool run_one() {
    if (next_due() > now_) return false;
    auto first = entries_.begin();
    auto what = std::move(first->second);
    entries_.erase(first);
    what();
    return true;
  }

 private:
  absl::Time now_;
  uint64_t next_ = 0;
  std::map<std::pair<absl::Time, uint64_t>, std::function<void()>> entries_;
};

}  // namespace tidegate::sim
