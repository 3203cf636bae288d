#include "operator/controllers/modeldeployment/reconciler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "api/json.h"
#include "base/log.h"
#include "base/strings.h"
#include "kube/errors.h"

namespace tidegate::operator_ {
namespace {

// The window of the present step; nullopt while nothing may be measured, or nothing is asked of the measurements: then
// the gateways are not read for it, and no evidence is kept.
std::optional<MeasurementWindow> wanted_window(const api::ModelDeploymentSpec& spec,
                                               const api::ModelDeploymentStatus& status) {
  if (spec.rollout.analysis.checks.empty()) return std::nullopt;
  if (!status.stable || !status.canary || !status.canary->measure_from) return std::nullopt;
  return MeasurementWindow{status.stable->revision, status.canary->revision, *status.canary->measure_from};
}

// A plan that changes where requests go, or that ends a step: what it rests on is saved before it is carried out.
bool acts(const rollout::Observed& observed, const rollout::Plan& plan) {
  if (!plan.status_changed) return false;
  const api::ModelDeploymentStatus& before = observed.status;
  const api::ModelDeploymentStatus& after = plan.status;
  return before.traffic != after.traffic || before.quarantined.size() != after.quarantined.size() ||
         before.history.size() != after.history.size() || before.phase != after.phase;
}

}  // namespace

base::Task<void> Reconciler::work(base::Scope& taking, base::Scope& scope) {
  while (true) {
    absl::StatusOr<base::ObjectKey> key = co_await parts_.queue.pop(taking);
    if (!key.ok()) co_return;
    const absl::Duration begun = parts_.clock.uptime();
    const absl::Status result = co_await reconcile(*key, scope);
    metrics_.duration.observe(parts_.clock.uptime() - begun);
    parts_.queue.done(*key);
    if (!scope.cancelled()) settle(*key, result);
  }
}

base::Task<absl::Status> Reconciler::reconcile(base::ObjectKey key, base::Scope& scope) {
  requeue_.erase(key);
  const auto object = parts_.sources.stores.models.get(key);
  if (!object) {
    forget(key);
    co_return absl::OkStatus();
  }
  if (!parts_.expectations.ready(key)) {
    requeue_[key] = kube::Expectations::kRecheck;
    co_return absl::OkStatus();
  }
  // Without its window nothing is judged; healing, draining and a person's commands go on.
  const absl::Status window = co_await follow_window(key, object, scope);
  std::optional<Gathered> gathered = gather(key, parts_.sources, gather_options(key));
  if (!gathered) co_return absl::OkStatus();
  const rollout::Plan plan = rollout::plan(gathered->observed);
  if (!plan.stop.empty()) {
    leave_to_the_leader(key, gathered->observed.leader_epoch, plan.stop);
    co_return absl::OkStatus();
  }
  const absl::Status saved =
      co_await parts_.evidence.save(gathered->object->metadata, acts(gathered->observed, plan), scope);
  // What is not saved costs the next leader time; a rollback that waits for it would cost users requests.
  if (!saved.ok()) base::log_warning("evidence not saved", {{"object", key.to_string()}, {"error", saved}});
  // Also when something is refused that the plan asks for.
  requeue_[key] = std::min(plan.requeue_after.value_or(kResync), kResync);
  const absl::Status done = co_await parts_.executor.execute(*gathered, plan, scope);
  if (!done.ok()) co_return done;
  if (plan.status_changed) {
    status_written_[key] = gathered->observed.now;
    count_ended_rollouts(gathered->observed, plan);
  }
  if (plan.is_noop()) ++metrics_.unchanged;
  // The window is opened at the next look: every moment until then is one that users' requests are not measured in.
  const rollout::Observed& observed = gathered->observed;
  const bool measures_anew = wanted_window(observed.spec, plan.status) != wanted_window(observed.spec, observed.status);
  if (measures_anew) requeue_[key] = kube::Expectations::kRecheck;
  co_return window;
}

base::Task<absl::Status> Reconciler::follow_window(base::ObjectKey key,
                                                   std::shared_ptr<const api::ModelDeployment> object,
                                                   base::Scope& scope) {
  const std::optional<MeasurementWindow> window = wanted_window(object->spec, object->status);
  if (!window) {
    parts_.ledger.close(key);
    co_return absl::OkStatus();
  }
  if (parts_.ledger.is_open(key, *window)) co_return absl::OkStatus();
  parts_.ledger.close(key);
  absl::Status loaded = co_await parts_.evidence.load(key, object->metadata.uid, *window, scope);
  if (loaded.ok()) parts_.window_opened();
  co_return loaded;
}

GatherOptions Reconciler::gather_options(const base::ObjectKey& key) const {
  GatherOptions options;
  options.now = parts_.clock.now();
  options.leader_epoch = parts_.leader_epoch();
  options.cluster_domain = parts_.cluster_domain;
  if (const rollout::CreateError* error = parts_.executor.create_error(key)) options.create_error = *error;
  if (auto written = status_written_.find(key); written != status_written_.end()) {
    options.status_written = written->second;
  }
  return options;
}

// Losing the lease in the middle of a look is routine. A leadership that somebody has ended without its knowing is not:
// the clocks of two machines, or a Lease that a person changed, are to be looked at.
void Reconciler::leave_to_the_leader(const base::ObjectKey& key, int64_t own_epoch, const std::string& why) {
  const base::LogLevel level = own_epoch == 0 ? base::LogLevel::kInfo : base::LogLevel::kWarning;
  base::log(level, "lost the lease; nothing more is written", {{"object", key.to_string()}, {"reason", why}});
  requeue_[key] = kResync;
}

void Reconciler::count_ended_rollouts(const rollout::Observed& observed, const rollout::Plan& plan) {
  const std::vector<api::HistoryEntry>& before = observed.status.history;
  for (const api::HistoryEntry& entry : plan.status.history) {
    if (std::find(before.begin(), before.end(), entry) == before.end()) ++metrics_.rollouts[entry.outcome];
  }
}

void Reconciler::settle(const base::ObjectKey& key, const absl::Status& result) {
  if (result.ok()) {
    ++metrics_.succeeded;
    parts_.queue.forget(key);
    if (auto wish = requeue_.find(key); wish != requeue_.end()) look_again(key, wish->second);
    return;
  }
  if (kube::is_conflict(result)) {
    // The change that we lost against is on its way into our stores.
    ++metrics_.conflicts;
    base::log_debug("observed state has moved on", {{"object", key.to_string()}, {"error", result}});
    parts_.queue.add_after(key, kube::Expectations::kRecheck);
    return;
  }
  ++metrics_.failed;
  base::log_warning("reconcile failed, will be tried again", {{"object", key.to_string()}, {"error", result}});
  const std::optional<absl::Duration> asked = kube::retry_after(result);
  asked ? parts_.queue.add_after(key, *asked) : parts_.queue.add_rate_limited(key);
  // What the plan waits for is due all the same: a hold that ends, a step to be judged.
  if (auto wish = requeue_.find(key); wish != requeue_.end() && wish->second < kResync) look_again(key, wish->second);
}

// What a plan waits for is looked at on time; a resync has none.
void Reconciler::look_again(const base::ObjectKey& key, absl::Duration delay) {
  if (delay < kResync) {
    parts_.queue.add_after(key, delay);
  } else {
    parts_.queue.add_with_others(key, delay);
  }
}

void Reconciler::forget(const base::ObjectKey& key) {
  parts_.ledger.close(key);
  parts_.evidence.forget(key);
  parts_.executor.forget(key);
  parts_.expectations.forget(key);
  status_written_.erase(key);
  parts_.sources.revisions.forget(key);
}

std::string Reconciler::describe(const base::ObjectKey& key) const {
  const std::optional<Gathered> gathered = gather(key, parts_.sources, gather_options(key));
  if (!gathered) return "";
  const rollout::Observed& observed = gathered->observed;
  std::string text = base::cat("object ", key.to_string(), " resourceVersion ", observed.metadata.resource_version,
                               " generation ", observed.metadata.generation, "\nleader epoch ", observed.leader_epoch,
                               "\nwanted ", observed.wanted ? observed.wanted->revision : "unknown");
  if (observed.resolve_error) {
    text += base::cat("\nresolve error ", observed.resolve_error->reason, ": ", observed.resolve_error->message);
  }
  for (const rollout::Workload& workload : observed.workloads) {
    text += base::cat("\nworkload ", workload.revision, " version ", workload.version, " replicas ", workload.replicas,
                      " available ", workload.available);
    for (const auto& failure : workload.failures) {
      text += base::cat("\n  ", failure.pod, " ", failure.reason, ": ", failure.message);
    }
  }
  text += base::cat("\ntraffic written at ", observed.traffic_resource_version);
  for (const rollout::Proxy& proxy : observed.proxies) {
    text += base::cat("\ngateway ", proxy.name, proxy.ready ? " ready" : " not ready", " applied ",
                      proxy.applied_resource_version);
  }
  if (const auto& measured = observed.measurements) {
    text += base::cat("\nmeasured stable ", measured->stable.requests, " canary ", measured->canary.requests,
                      " requests since ", api::format_time(measured->from));
  }
  const absl::Duration running = parts_.queue.longest_running();
  text += base::cat("\nqueue depth ", parts_.queue.depth(), " delayed ", parts_.queue.delayed(), " longest running ",
                    base::view(absl::FormatDuration(running)), "\nstatus ",
                    api::to_json(observed.status).dump(2, ' ', false, nlohmann::json::error_handler_t::replace),
                    "\nplan\n", rollout::plan(observed).to_string(), "\n");
  return text;
}

}  // namespace tidegate::operator_
