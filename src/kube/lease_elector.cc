#include "kube/lease_elector.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "base/strings.h"
#include "kube/errors.h"

namespace tidegate::kube {
namespace {

constexpr absl::Duration kReleaseTimeout = absl::Seconds(5);

}  // namespace

LeaseElector::LeaseElector(Client& client, base::Clock& clock, LeaseElectorOptions options, LeaseCallbacks callbacks)
    : client_(client), clock_(clock), options_(std::move(options)), callbacks_(std::move(callbacks)) {
  observed_.lease.meta.ns = options_.lease.ns;
  observed_.lease.meta.name = options_.lease.name;
}

bool LeaseElector::is_leader() const {
  return leading_ && clock_.uptime() - renewed_at_ < options_.timing.renew_deadline;
}

base::Task<void> LeaseElector::run(base::Scope& scope) {
  while (!scope.cancelled()) {
    const absl::Duration began = clock_.uptime();
    co_await campaign_round(scope);
    if (scope.cancelled()) break;
    co_await base::sleep_for(clock_, until_next_round(began), scope);
  }
  const bool led = leading_ || (known_ && observed_.lease.holder == options_.identity);
  lose("shutting down");
  if (led) co_await release();
}

// How long a round may hang. A leader gets a second try before its deadline, as long as the first.
absl::Duration LeaseElector::patience() const {
  const LeaseTiming& timing = options_.timing;
  return leading_ ? (timing.renew_deadline - timing.renew_period) / 2 : timing.renew_deadline / 2;
}

// A round that hung has been waited for already.
absl::Duration LeaseElector::until_next_round(absl::Duration began) const {
  const bool renewed = leading_ && renewed_at_ >= began;
  const absl::Duration period = renewed ? options_.timing.renew_period : options_.timing.retry_period;
  return std::max(began + period - clock_.uptime(), absl::ZeroDuration());
}

// Reads unless we know what is there, decides, writes.
base::Task<void> LeaseElector::campaign_round(base::Scope& scope) {
  base::Scope round(scope);
  auto limit = clock_.after(patience(), [&round] { round.cancel(); });
  if (!leading_ || !known_) {
    absl::Status read_status = co_await read(round);
    if (!read_status.ok()) {
      report("cannot read the lease", read_status, scope);
      co_return;
    }
  }
  const LeaseDecision decision = decide_lease(observed_, options_.identity, leading_, clock_.uptime(), options_.timing);
  if (leading_ && decision != LeaseDecision::kRenew) {
    lose(base::cat("the lease is held by '", observed_.lease.holder, "' now"));
  } else if (decision == LeaseDecision::kRenew) {
    co_await renew(round, scope);
  } else if (decision != LeaseDecision::kWait) {
    co_await take(decision == LeaseDecision::kCreate, round, scope);
  }
}

base::Task<void> LeaseElector::take(bool create, base::Scope& round, base::Scope& scope) {
  const absl::Duration began = clock_.uptime();
  const int64_t floor = options_.epoch_floor ? options_.epoch_floor() : 0;
  const Lease lease = lease_taken(observed_, options_.identity, clock_.now(), options_.timing, floor);
  absl::Status taken = co_await write(lease, create, round);
  if (taken.ok() && !scope.cancelled()) {
    lead(began, lease.transitions);
  } else {
    report("cannot take the lease", taken, scope);
  }
}

base::Task<void> LeaseElector::renew(base::Scope& round, base::Scope& scope) {
  const absl::Duration began = clock_.uptime();
  absl::Status status = co_await write(lease_renewed(observed_, clock_.now()), false, round);
  // The deadline may have passed while we waited: then we have stopped, and a renewal that got through is no excuse.
  if (status.ok() && leading_) renewed(began);
  report("cannot renew the lease", status, scope);
}

base::Task<absl::Status> LeaseElector::read(base::Scope& scope) {
  absl::StatusOr<Json> object = co_await client_.get(resources::leases(), options_.lease, scope);
  if (absl::IsNotFound(object.status())) {
    observed_.exists = false;
    observed_.lease.meta.resource_version.clear();
    co_return absl::OkStatus();
  }
  if (!object.ok()) co_return object.status();
  absl::StatusOr<Lease> lease = decode_lease(*object);
  if (lease.ok()) take_over(*lease);
  co_return lease.status();
}

base::Task<absl::Status> LeaseElector::write(Lease lease, bool create, base::Scope& scope) {
  known_ = false;
  if (create) {
    absl::StatusOr<Written> created = co_await client_.create(resources::leases(), encode_lease(lease), scope);
    co_return take_over_written(std::move(lease), created);
  }
  absl::StatusOr<Written> updated = co_await client_.update(resources::leases(), encode_lease(lease), scope);
  co_return take_over_written(std::move(lease), updated);
}

absl::Status LeaseElector::take_over_written(Lease lease, const absl::StatusOr<Written>& written) {
  if (!written.ok()) return written.status();
  lease.meta.resource_version = written->resource_version;
  take_over(lease);
  return absl::OkStatus();
}

void LeaseElector::take_over(const Lease& lease) {
  const std::string before = observed_.lease.holder;
  observed_ = observe_lease(std::move(observed_), lease, clock_.uptime());
  known_ = true;
  if (observed_.lease.holder != before && callbacks_.on_new_leader) callbacks_.on_new_leader(observed_.lease.holder);
}

void LeaseElector::lead(absl::Duration since, int64_t epoch) {
  leading_ = true;
  epoch_ = epoch;
  renewed(since);
  // The write may have taken so long that the deadline has passed.
  if (!is_leader()) {
    leading_ = false;
    deadline_.reset();
    return;
  }
  base::log_info("leading", {{"lease", options_.lease.to_string()}, {"identity", options_.identity}, {"epoch", epoch}});
  if (callbacks_.on_started) callbacks_.on_started(epoch);
}

void LeaseElector::renewed(absl::Duration since) {
  renewed_at_ = since;
  const absl::Duration left = since + options_.timing.renew_deadline - clock_.uptime();
  deadline_ = clock_.after(left, [this] { lose("the lease was not renewed in time"); });
}

void LeaseElector::lose(const std::string& why) {
  if (!std::exchange(leading_, false)) return;
  deadline_.reset();
  base::log_warning("not leading any more",
                    {{"lease", options_.lease.to_string()}, {"identity", options_.identity}, {"why", why}});
  if (callbacks_.on_lost) callbacks_.on_lost(why);
}

void LeaseElector::report(std::string_view what, const absl::Status& error, const base::Scope& scope) const {
  if (error.ok()) return;
  // Losing a race for the lease is the normal course of an election.
  if (scope.cancelled() || is_conflict(error) || absl::IsAlreadyExists(error)) return;
  base::log_warning(what, {{"lease", options_.lease.to_string()}, {"leading", leading_}, {"error", error}});
}

// Reads first: a renewal that was under way may have changed the version.
base::Task<void> LeaseElector::release() {
  base::Scope scope;
  auto limit = clock_.after(kReleaseTimeout, [&scope] { scope.cancel(); });
  absl::Status status = co_await read(scope);
  if (status.ok() && observed_.lease.holder != options_.identity) co_return;
  if (status.ok()) {
    absl::Status released = co_await write(lease_released(observed_, clock_.now()), false, scope);
    status = released;
  }
  if (!status.ok()) {
    base::log_warning("could not release the lease; the next leader waits until it runs out",
                      {{"lease", options_.lease.to_string()}, {"error", status}});
  }
}

}  // namespace tidegate::kube
