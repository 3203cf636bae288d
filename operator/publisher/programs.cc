#include "operator/publisher/programs.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "operator/controllers/modeldeployment/pod_report.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {
namespace {

std::vector<traffic::Endpoint> endpoints_of(const PodPointers& pods, const Serving& serves,
                                            const std::string& revision) {
  std::vector<traffic::Endpoint> endpoints;
  for (const auto& pod : pods) {
    if (pod->meta.label(kRevisionLabel) != revision || !serves(*pod)) continue;
    endpoints.push_back({pod->ip, kRestPort, kGrpcPort});
  }
  return endpoints;
}

// In the order in which status names them, each once.
std::vector<std::string> named_revisions(const api::ModelDeploymentStatus& status) {
  std::vector<std::string> names;
  auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const api::TrafficShare& share : status.traffic) add(share.revision);
  if (status.stable) add(status.stable->revision);
  if (status.canary) add(status.canary->revision);
  for (const api::DrainingStatus& draining : status.draining) add(draining.revision);
  return names;
}

int weight_of(const api::ModelDeploymentStatus& status, const std::string& revision) {
  for (const api::TrafficShare& share : status.traffic) {
    if (share.revision == revision) return share.weight;
  }
  return 0;
}

traffic::Program program_of(const Stores& stores, const base::ObjectKey& key, const api::ModelDeployment& object) {
  traffic::Program program;
  program.namespace_ = key.ns;
  program.name = key.name;
  program.uid = object.metadata.uid;
  program.created = object.metadata.creation_timestamp.value_or(absl::UnixEpoch());
  program.resource_version = object.metadata.resource_version;
  program.timeout = object.spec.traffic.timeout;
  program.retries = object.spec.traffic.retries;
  program.max_concurrency = object.spec.traffic.max_concurrency;
  program.hosts = object.spec.traffic.hosts;
  const PodPointers pods = stores.serving_pods.by_index(kByModelDeployment, key.to_string());
  const Serving serves(pods);
  for (const std::string& revision : named_revisions(object.status)) {
    program.revisions.push_back({revision, weight_of(object.status, revision), endpoints_of(pods, serves, revision)});
  }
  return program;
}

}  // namespace

std::shared_ptr<const traffic::Program> make_program(const Stores& stores, const base::ObjectKey& key) {
  const auto object = stores.models.get(key);
  if (object == nullptr) return nullptr;
  return std::make_shared<const traffic::Program>(program_of(stores, key, *object));
}

}  // namespace tidegate::operator_
