#pragma once
// Who may lead, as a pure decision over the Lease as we observed it. lease_elector.h acts on it.
//
// Clocks of two machines are never compared: a candidate measures, on its own monotonic clock, for how long the record
// has not changed. A leader renews every renew_period and gives up after renew_deadline without a renewal, counted from
// the start of the last request that succeeded; a candidate waits for lease_duration from when it last saw a change.
// Since that change was made no earlier than the leader's request began, renew_deadline < lease_duration keeps two
// leaders apart (client-go's leader election).
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>

#include "kube/types.h"

namespace tidegate::kube {

struct LeaseTiming {
  absl::Duration lease_duration = absl::Seconds(15);
  absl::Duration renew_deadline = absl::Seconds(10);
  absl::Duration renew_period = absl::Seconds(4);  // from the start of a renewal that succeeded to the next
  absl::Duration retry_period = absl::Seconds(2);  // after any other round: a failure, or somebody else leads

  // INVALID_ARGUMENT unless lease_duration > renew_deadline > renew_period >= retry_period > 0.
  absl::Status validate() const;
};

// The record and when (uptime) we first saw it like this.
struct LeaseObservation {
  bool exists = false;
  Lease lease;
  absl::Duration changed_at;
};

// Takes over what was just read; the time moves only when the record differs from the one before.
LeaseObservation observe_lease(LeaseObservation before, const Lease& read, absl::Duration uptime);

enum class LeaseDecision {
  kCreate,  // there is none
  kTake,    // free, or its holder has not renewed for lease_duration
  kRenew,   // we lead
  kWait,    // somebody else leads
};
// `leading`: whether we lead now. A record in our name while we do not (a write whose answer got lost, a second process
// of the same identity) is waited for like anybody else's.
LeaseDecision decide_lease(const LeaseObservation& observed, const std::string& identity, bool leading,
                           absl::Duration uptime, const LeaseTiming& timing);

// The record to write. `lease.transitions` is the epoch: every taking counts one, a renewal none. It is larger than
// `epoch_floor`, the highest epoch that is on record elsewhere: a Lease may have been deleted and begin again.
Lease lease_taken(const LeaseObservation& observed, const std::string& identity, absl::Time now,
                  const LeaseTiming& timing, int64_t epoch_floor = 0);
Lease lease_renewed(const LeaseObservation& observed, absl::Time now);
Lease lease_released(const LeaseObservation& observed, absl::Time now);

}  // namespace tidegate::kube
