#include "kube/merge_schema.h"

namespace tidegate::kube {
namespace {

constexpr std::string_view kTemplate = "spec.template.";

// A workload's template is a pod's.
std::string normal(const std::string& path) {
  return path.starts_with(kTemplate) ? path.substr(kTemplate.size()) : path;
}

ListType by(std::vector<std::string> keys) { return {ListType::Kind::kMap, std::move(keys)}; }

}  // namespace

MergeSchema MergeSchema::built_in() {
  MergeSchema schema;
  schema.set_list("metadata.finalizers", {ListType::Kind::kSet, {}});
  schema.set_list("metadata.ownerReferences", by({"uid"}));
  schema.set_list("status.conditions", by({"type"}));
  schema.set_list("status.podIPs", by({"ip"}));
  schema.set_list("spec.ports", by({"port", "protocol"}));  // of a Service
  schema.set_list("spec.volumes", by({"name"}));
  schema.set_list("spec.imagePullSecrets", by({"name"}));
  schema.set_list("spec.schedulingGates", by({"name"}));
  schema.set_list("spec.hostAliases", by({"ip"}));
  schema.set_list("spec.topologySpreadConstraints", by({"topologyKey", "whenUnsatisfiable"}));
  for (const std::string containers : {"spec.containers", "spec.initContainers", "spec.ephemeralContainers"}) {
    schema.set_list(containers, by({"name"}));
    schema.set_list(containers + "[].env", by({"name"}));
    schema.set_list(containers + "[].ports", by({"containerPort", "protocol"}));
    schema.set_list(containers + "[].volumeMounts", by({"mountPath"}));
    schema.set_list(containers + "[].volumeDevices", by({"devicePath"}));
    schema.set_list(containers + "[].resources.claims", by({"name"}));
    for (const char* reference : {"configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef"}) {
      schema.set_atomic_map(containers + "[].env[].valueFrom." + reference);
    }
  }
  for (const char* path :
       {"spec.selector", "spec.nodeSelector", "regarding", "related", "metadata.ownerReferences[]"}) {
    schema.set_atomic_map(path);
  }
  return schema;
}

const ListType& MergeSchema::list_at(const std::string& path) const {
  static const ListType kAtomic;
  const auto found = lists_.find(normal(path));
  return found == lists_.end() ? kAtomic : found->second;
}

bool MergeSchema::is_atomic_map(const std::string& path) const { return atomic_maps_.contains(normal(path)); }

Json MergeSchema::key_default(std::string_view key) { return key == "protocol" ? Json("TCP") : Json(); }

}  // namespace tidegate::kube
