#include "kube/lease_decision.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

// What a renewal or a change of leader changes; other writers (an annotation) do not count as a sign of life.
bool same_record(const Lease& a, const Lease& b) {
  return a.holder == b.holder && a.renewed == b.renewed && a.acquired == b.acquired && a.transitions == b.transitions &&
         a.duration_seconds == b.duration_seconds;
}

// As the API server keeps it: a MicroTime. What is remembered of an own write is what will be read back of it.
absl::Time stored(absl::Time time) { return absl::FromUnixMicros(absl::ToUnixMicros(time)); }

}  // namespace

absl::Status LeaseTiming::validate() const {
  if (lease_duration > renew_deadline && renew_deadline > renew_period && renew_period >= retry_period &&
      retry_period > absl::ZeroDuration()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(base::cat(
      "lease timing: lease duration ", absl::FormatDuration(lease_duration), " must be longer than the renew deadline ",
      absl::FormatDuration(renew_deadline), ", that longer than the renew period ", absl::FormatDuration(renew_period),
      ", and that no shorter than the retry period ", absl::FormatDuration(retry_period)));
}

LeaseObservation observe_lease(LeaseObservation before, const Lease& read, absl::Duration uptime) {
  const bool changed = !before.exists || !same_record(before.lease, read);
  return {true, read, changed ? uptime : before.changed_at};
}

LeaseDecision decide_lease(const LeaseObservation& observed, const std::string& identity, bool leading,
                           absl::Duration uptime, const LeaseTiming& timing) {
  if (!observed.exists) return LeaseDecision::kCreate;
  const Lease& lease = observed.lease;
  if (lease.holder.empty()) return LeaseDecision::kTake;
  if (leading && lease.holder == identity) return LeaseDecision::kRenew;
  // The holder's own promise, if it is longer than ours: replicas may run with different settings during an upgrade.
  const absl::Duration promised = std::max(timing.lease_duration, absl::Seconds(lease.duration_seconds));
  return uptime - observed.changed_at >= promised ? LeaseDecision::kTake : LeaseDecision::kWait;
}

Lease lease_taken(const LeaseObservation& observed, const std::string& identity, absl::Time now,
                  const LeaseTiming& timing, int64_t epoch_floor) {
  Lease lease = observed.lease;
  lease.holder = identity;
  const absl::Duration whole_seconds = absl::Ceil(timing.lease_duration, absl::Seconds(1));
  lease.duration_seconds = static_cast<int32_t>(absl::ToInt64Seconds(whole_seconds));
  lease.transitions = std::max<int64_t>(observed.lease.transitions, epoch_floor) + 1;
  lease.acquired = stored(now);
  lease.renewed = lease.acquired;
  return lease;
}

Lease lease_renewed(const LeaseObservation& observed, absl::Time now) {
  Lease lease = observed.lease;
  lease.renewed = stored(now);
  return lease;
}

Lease lease_released(const LeaseObservation& observed, absl::Time now) {
  Lease lease = observed.lease;
  lease.holder.clear();
  lease.renewed = stored(now);
  return lease;
}

}  // namespace tidegate::kube
