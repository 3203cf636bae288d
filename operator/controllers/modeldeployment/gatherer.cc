#include "operator/controllers/modeldeployment/gatherer.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <variant>

#include "base/strings.h"
#include "operator/controllers/modeldeployment/pod_report.h"
#include "operator/controllers/modeldeployment/runtime_choice.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {
namespace {

using DeploymentPointer = std::shared_ptr<const kube::Deployment>;
using PodsByRevision = std::map<std::string, PodPointers>;

PodsByRevision by_revision(const PodPointers& pods) {
  PodsByRevision sorted;
  for (const auto& pod : pods) sorted[pod->meta.label(kRevisionLabel)].push_back(pod);
  return sorted;
}

rollout::Workload workload_of(const kube::Deployment& deployment, const PodsByRevision& pods, const Serving& serves) {
  rollout::Workload workload;
  workload.revision = deployment.meta.name;
  workload.version = deployment.meta.annotation(kVersionAnnotation);
  workload.uid = deployment.meta.uid;
  workload.resource_version = deployment.meta.resource_version;
  workload.owner_uid = deployment.meta.controller ? deployment.meta.controller->uid : "";
  workload.created = deployment.meta.created;
  workload.replicas = deployment.spec_replicas;
  workload.updated = deployment.updated_replicas;
  if (auto failure = creation_failure(deployment)) workload.failures.push_back(*std::move(failure));
  auto found = pods.find(workload.revision);
  if (found == pods.end()) return workload;
  // Counted from the pods, as the proxies' endpoints are, and not from the Deployment's status, which follows later.
  PodReport report = report_of(found->second, serves);
  workload.ready = workload.available = report.serving;
  workload.content_digest = std::move(report.content_digest);
  std::move(report.failures.begin(), report.failures.end(), std::back_inserter(workload.failures));
  return workload;
}

// Those of the object itself, stable and canary first: of several that were asked for alike, the one in use is meant.
std::vector<RecordedRevision> recorded_revisions(const api::ModelDeployment& object,
                                                 const std::vector<DeploymentPointer>& deployments) {
  std::vector<RecordedRevision> recorded;
  for (const DeploymentPointer& deployment : deployments) {
    if (!deployment->meta.controller || deployment->meta.controller->uid != object.metadata.uid) continue;
    recorded.push_back({deployment->meta.name, deployment->meta.annotation(kRequestHashAnnotation),
                        deployment->meta.annotation(kRuntimeHashAnnotation)});
  }
  auto in_use = [&](const RecordedRevision& revision) {
    return (object.status.stable && object.status.stable->revision == revision.name) ||
           (object.status.canary && object.status.canary->revision == revision.name);
  };
  std::stable_partition(recorded.begin(), recorded.end(), in_use);
  return recorded;
}

// A version whose files were replaced in the store after a revision had been made from it.
std::optional<rollout::ResolveError> digest_changed(const api::ModelDeployment& object, const ModelSource& found,
                                                    const std::vector<DeploymentPointer>& deployments) {
  for (const DeploymentPointer& deployment : deployments) {
    const kube::ObjectMeta& meta = deployment->meta;
    if (!meta.controller || meta.controller->uid != object.metadata.uid) continue;
    if (meta.annotation(kModelUriAnnotation) != found.uri) continue;
    if (meta.annotation(kVersionAnnotation) != found.version) continue;
    if (meta.annotation(kSourceDigestAnnotation) == found.source_digest) continue;
    return rollout::ResolveError{
        "DigestChanged", base::cat("version ", found.version, " in ", found.uri, " was replaced after ", meta.name,
                                   " had been made from it; running pods keep the files that they verified. Restore "
                                   "the files, or upload the new ones under another version number")};
  }
  return std::nullopt;
}

// The revision of that version that is in use; it stays wanted when its files were replaced. Others are not: nobody
// asked for exactly what they are made of.
void want_recorded_version(const ModelSource& found, const std::vector<DeploymentPointer>& deployments,
                           rollout::Observed& observed) {
  const api::ModelDeploymentStatus& status = observed.status;
  for (const DeploymentPointer& deployment : deployments) {
    const kube::ObjectMeta& meta = deployment->meta;
    if (!meta.controller || meta.controller->uid != observed.metadata.uid) continue;
    if (meta.annotation(kModelUriAnnotation) != found.uri) continue;
    if (meta.annotation(kVersionAnnotation) != found.version) continue;
    const bool is_canary = status.canary && status.canary->revision == meta.name;
    const bool is_stable = status.stable && status.stable->revision == meta.name;
    if (!is_canary && !is_stable) continue;
    observed.wanted = rollout::WantedRevision{meta.name, found.version, meta.annotation(kSourceDigestAnnotation)};
    if (is_canary) return;
  }
}

void resolve(const base::ObjectKey& key, const GatherSources& sources,
             const std::vector<DeploymentPointer>& deployments, Gathered& gathered) {
  rollout::Observed& observed = gathered.observed;
  const Resolution* resolution = sources.resolver.find(key, gathered.object->spec.model);
  if (resolution == nullptr) {
    observed.resolving_since = sources.resolver.looking_since(key);
    return;
  }
  observed.resolve_error = resolution->error;
  if (!resolution->found) return;
  const FoundModel& found = *resolution->found;
  if (auto changed = digest_changed(*gathered.object, found.source, deployments)) {
    observed.resolve_error = std::move(changed);
    want_recorded_version(found.source, deployments, observed);
    return;
  }
  auto chosen = choose_runtime(key.ns, gathered.object->spec.runtime.name, found.format, sources.stores.runtimes,
                               sources.stores.cluster_runtimes);
  if (auto* error = std::get_if<rollout::ResolveError>(&chosen)) {
    observed.resolve_error = *error;
    return;
  }
  gathered.wanted_input = revision_input(*gathered.object, found.source, std::get<RuntimePointer>(chosen));
  const std::string revision = sources.revisions.wanted(*gathered.wanted_input, gathered.object->spec.runtime.follow,
                                                        recorded_revisions(*gathered.object, deployments));
  observed.wanted = rollout::WantedRevision{revision, found.source.version, found.source.source_digest};
}

}  // namespace

std::optional<Gathered> gather(const base::ObjectKey& key, const GatherSources& sources, const GatherOptions& options) {
  Gathered gathered;
  gathered.object = sources.stores.models.get(key);
  if (!gathered.object) return std::nullopt;
  rollout::Observed& observed = gathered.observed;
  observed.now = options.now;
  observed.metadata = gathered.object->metadata;
  observed.spec = gathered.object->spec;
  observed.status = gathered.object->status;
  observed.leader_epoch = options.leader_epoch;
  observed.status_written = options.status_written;
  observed.cluster_domain = options.cluster_domain;

  const auto deployments = sources.stores.deployments.by_index(kByModelDeployment, key.to_string());
  const PodPointers all_pods = sources.stores.serving_pods.by_index(kByModelDeployment, key.to_string());
  const PodsByRevision pods = by_revision(all_pods);
  const Serving serves(all_pods);
  for (const DeploymentPointer& deployment : deployments) {
    observed.workloads.push_back(workload_of(*deployment, pods, serves));
  }
  resolve(key, sources, deployments, gathered);
  GatewayView gateways = sources.gateways(key);
  observed.proxies = std::move(gateways.proxies);
  observed.measurement_error = std::move(gateways.measurement_error);
  observed.traffic_resource_version = sources.traffic_versions.of(key);
  observed.measurements = sources.ledger.measurements(key);
  observed.traffic_error = sources.traffic_error(key);
  const bool is_there =
      observed.wanted &&
      std::any_of(observed.workloads.begin(), observed.workloads.end(), [&](const rollout::Workload& workload) {
        return workload.revision == observed.wanted->revision && workload.owner_uid == observed.metadata.uid;
      });
  // A refusal of what is there all the same: the answer to an earlier request was lost.
  if (options.create_error && observed.wanted && !is_there &&
      options.create_error->revision == observed.wanted->revision) {
    observed.create_error = options.create_error;
  }
  return gathered;
}

}  // namespace tidegate::operator_
