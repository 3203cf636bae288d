#pragma once
// Holds a coordination.k8s.io/v1 Lease so that one replica writes. main.cc spawns run(); controllers start in
// on_started and stop in on_lost; every write asks is_leader() first, which a process that slept answers rightly.
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "kube/lease_decision.h"

namespace tidegate::kube {

struct LeaseElectorOptions {
  base::ObjectKey lease;
  // Unique for each process and life ("<pod name>_<random>").
  std::string identity;
  LeaseTiming timing;
  // The highest epoch that is on record outside the Lease, asked before it is taken; may be null.
  std::function<int64_t()> epoch_floor;
};

struct LeaseCallbacks {
  // `epoch` (leaseTransitions) is larger for every new leader.
  std::function<void(int64_t epoch)> on_started;
  // Called once for each on_started, before another replica could take the lease. Must stop all writes before it
  // returns (cancel their scope).
  std::function<void(const std::string& why)> on_lost;
  // Whenever the holder changes; may be null.
  std::function<void(const std::string& identity)> on_new_leader;
};

class LeaseElector {
 public:
  // `client` and `clock` must outlive the task of run().
  LeaseElector(Client& client, base::Clock& clock, LeaseElectorOptions options, LeaseCallbacks callbacks);

  // Stands for election until `scope` ends, then calls on_lost if leading and releases the lease (at most 5 s), so
  // that the next leader need not wait. Finish what is in flight before you cancel the scope.
  base::Task<void> run(base::Scope& scope);

  // True only while the last renewal is younger than renew_deadline by the monotonic clock.
  bool is_leader() const;
  // Of the leadership that is_leader() speaks of; 0 when not leading.
  int64_t epoch() const { return is_leader() ? epoch_ : 0; }
  // Who holds the lease as far as we saw; empty: nobody.
  const std::string& holder() const { return observed_.lease.holder; }

 private:
  base::Task<void> campaign_round(base::Scope& scope);
  absl::Duration patience() const;
  absl::Duration until_next_round(absl::Duration began) const;
  base::Task<void> take(bool create, base::Scope& round, base::Scope& scope);
  base::Task<void> renew(base::Scope& round, base::Scope& scope);
  base::Task<absl::Status> read(base::Scope& scope);
  base::Task<absl::Status> write(Lease lease, bool create, base::Scope& scope);
  base::Task<void> release();
  void lead(absl::Duration since, int64_t epoch);
  void renewed(absl::Duration since);
  void lose(const std::string& why);
  absl::Status take_over_written(Lease lease, const absl::StatusOr<Written>& written);
  void take_over(const Lease& lease);
  void report(std::string_view what, const absl::Status& error, const base::Scope& scope) const;

  Client& client_;
  base::Clock& clock_;
  LeaseElectorOptions options_;
  LeaseCallbacks callbacks_;
  LeaseObservation observed_;
  bool known_ = false;  // observed_ is what the server has, unless somebody else wrote since
  bool leading_ = false;
  int64_t epoch_ = 0;
  absl::Duration renewed_at_;  // uptime at the start of the last request that renewed
  std::unique_ptr<base::Clock::Timer> deadline_;
};

}  // namespace tidegate::kube
