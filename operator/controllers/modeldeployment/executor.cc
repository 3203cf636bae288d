#include "operator/controllers/modeldeployment/executor.h"

#include <utility>

#include "api/json.h"
#include "base/log.h"
#include "base/strings.h"
#include "operator/rendering/names.h"
#include "operator/rendering/workload.h"

namespace tidegate::operator_ {
namespace {

// A Service that is not ours may go away; until then it is looked at once a minute.
constexpr absl::Duration kForeignServiceRetry = absl::Minutes(1);

base::ObjectKey key_of(const Gathered& gathered) {
  return {gathered.object->metadata.namespace_, gathered.object->metadata.name};
}

// The API server's answer to what was asked, which the same question will get again.
bool is_refusal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsPermissionDenied(status) || absl::IsAlreadyExists(status);
}

}  // namespace

Executor::Executor(kube::Client& client, const Stores& stores, kube::Expectations& expectations,
                   kube::EventRecorder& events, base::Clock& clock, std::function<bool()> may_write,
                   ExecutorOptions options)
    : client_(client),
      stores_(stores),
      expectations_(expectations),
      events_(events),
      clock_(clock),
      may_write_(std::move(may_write)),
      options_(std::move(options)) {}

base::Task<absl::Status> Executor::execute(const Gathered& gathered, const rollout::Plan& plan, base::Scope& scope) {
  if (plan.status_changed) {
    absl::Status done = co_await write_status(gathered, plan, scope);
    if (!done.ok()) co_return done;
  }
  for (const rollout::CreateWorkload& step : plan.creates) {
    absl::Status done = co_await create(gathered, step, scope);
    if (!done.ok()) co_return done;
  }
  for (const rollout::ScaleWorkload& step : plan.scales) {
    absl::Status done = co_await scale(gathered, step, scope);
    if (!done.ok()) co_return done;
  }
  for (const rollout::DeleteWorkload& step : plan.deletes) {
    absl::Status done = co_await remove(gathered, step, scope);
    if (!done.ok()) co_return done;
  }
  // Last: a cluster that refuses the Service must not keep a rollback waiting.
  absl::Status addressed = co_await ensure_address(gathered, scope);
  co_return addressed;
}

const rollout::CreateError* Executor::create_error(const base::ObjectKey& key) const {
  auto found = create_errors_.find(key);
  return found == create_errors_.end() ? nullptr : &found->second;
}

void Executor::forget_all() {
  address_tried_.clear();
  create_errors_.clear();
}

void Executor::forget(const base::ObjectKey& key) {
  address_tried_.erase(key);
  create_errors_.erase(key);
}

absl::Status Executor::check_may_write() const {
  return may_write_() ? absl::OkStatus() : absl::CancelledError("this replica no longer holds the lease");
}

base::Task<absl::Status> Executor::ensure_address(const Gathered& gathered, base::Scope& scope) {
  const base::ObjectKey key = key_of(gathered);
  if (gathered.object->metadata.deletion_timestamp) co_return absl::OkStatus();
  kube::Json wanted = render_service(gathered.object->metadata, options_.gateway_host);
  const auto service = stores_.services.get(key);
  if (!service) {
    absl::Status created = co_await create_address(gathered, std::move(wanted), scope);
    co_return created;
  }
  // A deleted namesake's is on its way out; it is made again when it is gone.
  if (!service->meta.controller || service->meta.controller->uid != gathered.object->metadata.uid) {
    co_return absl::OkStatus();
  }
  if (service->type == "ExternalName" && service->external_name == options_.gateway_host) co_return absl::OkStatus();
  if (absl::Status allowed = check_may_write(); !allowed.ok()) co_return allowed;
  wanted["metadata"]["resourceVersion"] = service->meta.resource_version;
  kube::ApplyOptions apply;
  apply.field_manager = kFieldManager;
  absl::StatusOr<kube::Written> applied =
      co_await client_.apply(kube::resources::services(), std::move(wanted), apply, scope);
  if (applied.ok()) expectations_.wrote(key, stores_.services, key, applied->resource_version);
  co_return applied.status();
}

base::Task<absl::Status> Executor::create_address(const Gathered& gathered, kube::Json service, base::Scope& scope) {
  const base::ObjectKey key = key_of(gathered);
  auto tried = address_tried_.find(key);
  if (tried != address_tried_.end() && clock_.uptime() - tried->second < kForeignServiceRetry) {
    co_return absl::OkStatus();
  }
  if (absl::Status allowed = check_may_write(); !allowed.ok()) co_return allowed;
  absl::StatusOr<kube::Written> created =
      co_await client_.create(kube::resources::services(), std::move(service), scope);
  if (created.ok()) {
    address_tried_.erase(key);
    expectations_.wrote(key, stores_.services, key, created->resource_version);
    co_return absl::OkStatus();
  }
  const bool taken = absl::IsAlreadyExists(created.status());
  if (!taken && !is_refusal(created.status())) co_return created.status();
  // The model is served all the same, at the gateway's own address and by spec.traffic.hosts.
  address_tried_[key] = clock_.uptime();
  if (taken) {
    tell(gathered, kube::EventType::kWarning, "AddressTaken",
         base::cat("there is a Service ", key.to_string(), " that Tidegate did not make, so http://", key.name, ".",
                   key.ns, ".svc leads there; delete or rename it, or give this object another name"));
  } else {
    tell(gathered, kube::EventType::kWarning, "AddressRefused",
         base::cat("Service ", key.to_string(),
                   ", the address of this model, is refused: ", created.status().message()));
  }
  co_return absl::OkStatus();
}

base::Task<absl::Status> Executor::write_status(const Gathered& gathered, const rollout::Plan& plan,
                                                base::Scope& scope) {
  if (absl::Status allowed = check_may_write(); !allowed.ok()) co_return allowed;
  const base::ObjectKey key = key_of(gathered);
  absl::StatusOr<kube::Written> written =
      co_await client_.update_status(model_deployments(), key, api::to_json(plan.status),
                                     gathered.observed.metadata.resource_version, kFieldManager, scope);
  if (!written.ok()) co_return written.status();
  expectations_.wrote(key, stores_.models, key, written->resource_version);
  // What happened is told once it is on record, and only then: a plan that was dropped has not happened.
  for (const rollout::Event& event : plan.events) {
    const bool warning = event.type == rollout::EventType::kWarning;
    tell(gathered, warning ? kube::EventType::kWarning : kube::EventType::kNormal, event.reason, event.message);
  }
  for (const rollout::Notification& notification : plan.notifications) {
    base::log_info("notification",
                   {{"object", key.to_string()}, {"reason", notification.reason}, {"text", notification.text}});
  }
  co_return absl::OkStatus();
}

base::Task<absl::Status> Executor::create(const Gathered& gathered, const rollout::CreateWorkload& step,
                                          base::Scope& scope) {
  const base::ObjectKey key = key_of(gathered);
  if (!gathered.wanted_input || gathered.observed.wanted->revision != step.revision) {
    co_return absl::FailedPreconditionError(
        base::cat("revision ", step.revision, " cannot be made: spec does not ask for it any more"));
  }
  if (absl::Status allowed = check_may_write(); !allowed.ok()) co_return allowed;
  kube::Json deployment =
      render_deployment(*gathered.wanted_input, step.revision, gathered.object->metadata.uid, step.replicas);
  absl::StatusOr<kube::Written> created =
      co_await client_.create(kube::resources::deployments(), std::move(deployment), scope);
  if (!created.ok()) {
    const std::string message(base::view(created.status().message()));
    if (is_refusal(created.status())) {
      create_errors_[key] = {step.revision, message};
      tell(gathered, kube::EventType::kWarning, "CreateFailed", message);
    }
    co_return created.status();
  }
  create_errors_.erase(key);
  expectations_.wrote(key, stores_.deployments, {key.ns, step.revision}, created->resource_version);
  co_return absl::OkStatus();
}

base::Task<absl::Status> Executor::scale(const Gathered& gathered, const rollout::ScaleWorkload& step,
                                         base::Scope& scope) {
  if (absl::Status allowed = check_may_write(); !allowed.ok()) co_return allowed;
  const base::ObjectKey key = key_of(gathered);
  const base::ObjectKey deployment{key.ns, step.revision};
  absl::StatusOr<kube::Written> scaled = co_await client_.scale(
      kube::resources::deployments(), deployment, step.replicas, step.resource_version, kFieldManager, scope);
  if (!scaled.ok()) co_return scaled.status();
  expectations_.wrote(key, stores_.deployments, deployment, scaled->resource_version);
  co_return absl::OkStatus();
}

base::Task<absl::Status> Executor::remove(const Gathered& gathered, const rollout::DeleteWorkload& step,
                                          base::Scope& scope) {
  if (absl::Status allowed = check_may_write(); !allowed.ok()) co_return allowed;
  const base::ObjectKey key = key_of(gathered);
  const base::ObjectKey deployment{key.ns, step.revision};
  kube::DeleteOptions options;
  options.uid = step.uid;
  options.resource_version = step.resource_version;
  absl::Status removed = co_await client_.remove(kube::resources::deployments(), deployment, options, scope);
  if (absl::IsNotFound(removed)) co_return absl::OkStatus();
  if (removed.ok()) expectations_.deleted(key, stores_.deployments, deployment, step.uid);
  co_return removed;
}

void Executor::tell(const Gathered& gathered, kube::EventType type, const std::string& reason,
                    const std::string& message) {
  const api::ObjectMeta& meta = gathered.object->metadata;
  kube::EventRecord event;
  event.regarding = {api::kApiVersion, api::kModelDeploymentKind, key_of(gathered), meta.uid, meta.resource_version};
  event.type = type;
  event.reason = reason;
  event.action = reason;
  event.note = message;
  events_.record(std::move(event));
}

}  // namespace tidegate::operator_
