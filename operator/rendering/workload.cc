#include "operator/rendering/workload.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "api/fields.h"
#include "base/strings.h"
#include "operator/rendering/accelerator.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {
namespace {

using Json = nlohmann::json;

constexpr int kUser = 65532;  // "nonroot" by convention; owns nothing on the node
// From the API server's mark until every proxy has dropped the pod's endpoint, with room; SIGTERM comes after it.
constexpr int kEndpointRemovalSeconds = 5;
// How long a model may take to load before the container is started again.
constexpr int kStartupSeconds = 900;

std::string model_dir(const RevisionInput& input) { return base::cat("/models/", input.object); }

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string expand(const RevisionInput& input, std::string text) {
  text = replace_all(std::move(text), "{{model.name}}", input.object);
  text = replace_all(std::move(text), "{{model.version}}", input.source.version);
  return replace_all(std::move(text), "{{model.dir}}", model_dir(input));
}

Json expand_all(const RevisionInput& input, const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const std::string& text : texts) list.push_back(expand(input, text));
  return list;
}

// The runtime's variables, then the object's; the later of one name wins in place.
Json environment(const RevisionInput& input) {
  std::vector<api::EnvVar> variables = input.runtime->spec.container.env;
  for (const api::EnvVar& variable : input.runtime_overrides.env) {
    auto known =
        std::find_if(variables.begin(), variables.end(), [&](const auto& v) { return v.name == variable.name; });
    if (known == variables.end()) {
      variables.push_back(variable);
    } else {
      known->value = variable.value;
    }
  }
  Json list = Json::array();
  for (const api::EnvVar& v : variables) list.push_back({{"name", v.name}, {"value", expand(input, v.value)}});
  return list;
}

Json to_json(const api::Resources& resources) {
  Json json = Json::object();
  if (!resources.requests.empty()) json["requests"] = resources.requests;
  if (!resources.limits.empty()) json["limits"] = resources.limits;
  return json;
}

// Without devices.
api::Resources asked_resources(const RevisionInput& input) {
  api::Resources merged = input.runtime->spec.container.resources;
  for (const auto& [name, quantity] : input.runtime_overrides.resources.requests) merged.requests[name] = quantity;
  for (const auto& [name, quantity] : input.runtime_overrides.resources.limits) merged.limits[name] = quantity;
  return merged;
}

// What the server gets anyway when the files are there, so the pod asks for no more; a namespace with a quota takes no
// container without.
Json fetch_resources(const RevisionInput& input) {
  api::Resources resources = asked_resources(input);
  const auto is_extended = [](const auto& resource) { return resource.first.find('/') != std::string::npos; };
  std::erase_if(resources.requests, is_extended);
  std::erase_if(resources.limits, is_extended);
  return to_json(resources);
}

Json runtime_resources(const RevisionInput& input) {
  api::Resources merged = asked_resources(input);
  const AcceleratorRequest accelerator = accelerator_request(input.accelerator);
  if (accelerator.count > 0) {
    // Extended resources cannot be overcommitted: request and limit must be equal.
    merged.requests[accelerator.resource] = merged.limits[accelerator.resource] = base::cat(accelerator.count);
  }
  return to_json(merged);
}

Json container_security() {
  return {{"allowPrivilegeEscalation", false}, {"capabilities", {{"drop", {"ALL"}}}}, {"readOnlyRootFilesystem", true}};
}

Json mounts() { return {{{"name", "model"}, {"mountPath", "/models"}}, {{"name", "tmp"}, {"mountPath", "/tmp"}}}; }

Json http_probe(const std::string& path, int period_seconds, int failures) {
  return {{"httpGet", {{"path", path}, {"port", kRestPort}}},
          {"periodSeconds", period_seconds},
          {"timeoutSeconds", 5},
          {"failureThreshold", failures}};
}

Json fetch_container(const RevisionInput& input) {
  std::string uri = input.source.uri;
  while (uri.ends_with('/')) uri.pop_back();
  Json container = {
      {"name", kFetchContainer},
      {"image", input.runtime->spec.fetch.image},
      {"imagePullPolicy", api::enum_name(input.runtime->spec.container.image_pull_policy)},
      {"args",
       {"fetch", base::cat("--uri=", uri, "/", input.source.version),
        base::cat("--dest=", model_dir(input), "/", input.source.version),
        base::cat("--source-digest=", input.source.source_digest)}},
      {"resources", fetch_resources(input)},
      {"volumeMounts", mounts()},
      {"securityContext", container_security()},
  };
  if (!input.credentials_secret.empty()) {
    container["envFrom"] = {{{"secretRef", {{"name", input.credentials_secret}}}}};
  }
  return container;
}

Json runtime_container(const RevisionInput& input) {
  const api::ServingRuntimeSpec& runtime = input.runtime->spec;
  std::vector<std::string> args = runtime.container.args;
  args.insert(args.end(), input.runtime_overrides.args.begin(), input.runtime_overrides.args.end());
  Json container = {
      {"name", kRuntimeContainer},
      {"image", runtime.container.image},
      {"imagePullPolicy", api::enum_name(runtime.container.image_pull_policy)},
      {"args", expand_all(input, args)},
      {"env", environment(input)},
      {"ports", {{{"name", "rest"}, {"containerPort", kRestPort}}, {{"name", "grpc"}, {"containerPort", kGrpcPort}}}},
      {"resources", runtime_resources(input)},
      {"volumeMounts", mounts()},
      {"securityContext", container_security()},
      {"startupProbe", http_probe(runtime.probes.liveness, 1, kStartupSeconds)},
      {"readinessProbe", http_probe(runtime.probes.readiness, 1, 3)},
      {"livenessProbe", http_probe(runtime.probes.liveness, 10, 6)},
      // A pod that is told to go leaves the proxies first; only then does the server stop to accept.
      {"lifecycle", {{"preStop", {{"sleep", {{"seconds", kEndpointRemovalSeconds}}}}}}},
  };
  if (!runtime.container.command.empty()) container["command"] = expand_all(input, runtime.container.command);
  return container;
}

Json labels(const RevisionInput& input) {
  return {{kManagedByLabel, kManagedByValue}, {kDeploymentLabel, input.object}};
}

Json pod_spec(const RevisionInput& input) {
  const AcceleratorRequest accelerator = accelerator_request(input.accelerator);
  Json spec = {
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"terminationGracePeriodSeconds", absl::ToInt64Seconds(input.runtime->spec.termination_grace_period)},
      {"securityContext",
       {{"runAsNonRoot", true},
        {"runAsUser", kUser},
        {"runAsGroup", kUser},
        {"fsGroup", kUser},
        {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
      {"initContainers", Json::array({fetch_container(input)})},
      {"containers", Json::array({runtime_container(input)})},
      {"volumes", {{{"name", "model"}, {"emptyDir", Json::object()}}, {{"name", "tmp"}, {"emptyDir", Json::object()}}}},
      // Replicas on different nodes where there are some; one node is no reason to wait.
      {"topologySpreadConstraints",
       {{{"maxSkew", 1},
         {"topologyKey", "kubernetes.io/hostname"},
         {"whenUnsatisfiable", "ScheduleAnyway"},
         {"labelSelector", {{"matchLabels", labels(input)}}}}}},
  };
  if (!accelerator.node_selector.empty()) spec["nodeSelector"] = accelerator.node_selector;
  if (accelerator.count > 0) {
    spec["tolerations"] = {{{"key", accelerator.resource}, {"operator", "Exists"}}};
  }
  return spec;
}

}  // namespace

nlohmann::json render_pod_template(const RevisionInput& input) {
  return {{"metadata", {{"labels", labels(input)}}}, {"spec", pod_spec(input)}};
}

nlohmann::json owner_reference(const std::string& object, const std::string& uid) {
  return {{"apiVersion", api::kApiVersion},
          {"kind", api::kModelDeploymentKind},
          {"name", object},
          {"uid", uid},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

nlohmann::json render_deployment(const RevisionInput& input, const std::string& revision, const std::string& owner_uid,
                                 int replicas) {
  Json pod_template = render_pod_template(input);
  pod_template["metadata"]["labels"][kRevisionLabel] = revision;
  pod_template["metadata"]["annotations"] = {{"kubectl.kubernetes.io/default-container", kRuntimeContainer}};
  Json meta_labels = labels(input);
  meta_labels[kRevisionLabel] = revision;
  return {
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata",
       {{"name", revision},
        {"namespace", input.namespace_},
        {"labels", meta_labels},
        {"annotations",
         {{kVersionAnnotation, input.source.version},
          {kModelUriAnnotation, input.source.uri},
          {kSourceDigestAnnotation, input.source.source_digest},
          {kRuntimeAnnotation, input.runtime->metadata.name},
          {kRuntimeHashAnnotation, runtime_hash(*input.runtime)},
          {kRequestHashAnnotation, request_hash(input)}}},
        {"ownerReferences", Json::array({owner_reference(input.object, owner_uid)})}}},
      {"spec",
       {{"replicas", replicas},
        {"revisionHistoryLimit", 0},
        {"selector", {{"matchLabels", {{kDeploymentLabel, input.object}, {kRevisionLabel, revision}}}}},
        {"strategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxUnavailable", 0}, {"maxSurge", 1}}}}},
        {"template", pod_template}}},
  };
}

nlohmann::json render_service(const api::ObjectMeta& object, const std::string& gateway_host) {
  return {
      {"apiVersion", "v1"},
      {"kind", "Service"},
      {"metadata",
       {{"name", object.name},
        {"namespace", object.namespace_},
        {"labels", {{kManagedByLabel, kManagedByValue}, {kDeploymentLabel, object.name}}},
        {"ownerReferences", Json::array({owner_reference(object.name, object.uid)})}}},
      {"spec", {{"type", "ExternalName"}, {"externalName", gateway_host}}},
  };
}

}  // namespace tidegate::operator_
