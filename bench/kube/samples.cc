#include "kube/samples.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace tidegate::bench {
namespace {

using Json = nlohmann::json;
using base::cat;

constexpr const char* kTime = "2026-01-02T03:04:05Z";

std::string hex(int index) {
  const std::string digits = cat(100000000 + index);
  return digits.substr(digits.size() - 8);
}

Json meta(const std::string& name, const std::string& owner_kind, int index) {
  Json metadata = {{"name", name},
                   {"namespace", cat("team-", index % 20)},
                   {"uid", cat("3f9c1a52-7e0b-4c0d-9a11-0000", hex(index))},
                   {"resourceVersion", cat(1000000 + index)},
                   {"generation", 3},
                   {"creationTimestamp", kTime},
                   {"labels",
                    {{"app.kubernetes.io/managed-by", "tidegate"},
                     {"app.kubernetes.io/part-of", "tidegate"},
                     {"tidegate.dev/modeldeployment", cat("digits-", index)},
                     {"tidegate.dev/revision", cat("digits-", index, "-0a1b2c3d")},
                     {"pod-template-hash", "7d9c8b6f5"}}},
                   {"annotations", {{"tidegate.dev/version", "7"}, {"tidegate.dev/digest", std::string(71, 'a')}}}};
  Json owner = {{"apiVersion", "apps/v1"},
                {"kind", owner_kind},
                {"name", cat("digits-", index)},
                {"uid", cat("77777777-7e0b-4c0d-9a11-0000", hex(index))},
                {"controller", true},
                {"blockOwnerDeletion", true}};
  metadata["ownerReferences"].push_back(std::move(owner));
  return metadata;
}

// FieldsV1 of what `object` holds: what makes half of every object's bytes.
Json fields_of(const Json& value) {
  Json fields = Json::object();
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) fields["f:" + name] = fields_of(member);
  } else if (value.is_array()) {
    for (const Json& item : value) {
      if (!item.is_object()) continue;
      const char* key = item.contains("type") ? "type" : "name";
      fields[cat("k:", Json({{key, item.value(key, "x")}}).dump())] = fields_of(item);
    }
  }
  return fields;
}

void add_managed_fields(Json& object) {
  for (const char* part : {"spec", "status"}) {
    Json entry = {{"manager", "kube-controller-manager"},
                  {"operation", "Update"},
                  {"apiVersion", object["apiVersion"]},
                  {"time", kTime},
                  {"fieldsType", "FieldsV1"}};
    entry["fieldsV1"][cat("f:", part)] = fields_of(object[part]);
    object["metadata"]["managedFields"].push_back(std::move(entry));
  }
}

Json container(const std::string& name) {
  Json container = {
      {"name", name},
      {"image", "registry.example.com/tidegate/runtime-tensorflow:1.4.2"},
      {"imagePullPolicy", "IfNotPresent"},
      {"args", {"serve", "--model-name=digits", "--model-base-path=/models/digits", "--port=8501"}},
      {"resources", {{"requests", {{"cpu", "500m"}, {"memory", "1Gi"}}}, {"limits", {{"memory", "1Gi"}}}}},
      {"terminationMessagePath", "/dev/termination-log"},
      {"terminationMessagePolicy", "File"}};
  for (const char* variable : {"MODEL_NAME", "MODEL_VERSION", "OTEL_ENDPOINT"}) {
    container["env"].push_back({{"name", variable}, {"value", "some value of ordinary length"}});
  }
  for (const char* volume : {"models", "cache"}) {
    container["volumeMounts"].push_back({{"name", volume}, {"mountPath", cat("/", volume)}});
  }
  for (const char* probe : {"readinessProbe", "livenessProbe"}) {
    container[probe] = {{"httpGet", {{"path", "/v2/health/ready"}, {"port", 8501}, {"scheme", "HTTP"}}},
                        {"periodSeconds", 5},
                        {"timeoutSeconds", 1},
                        {"successThreshold", 1},
                        {"failureThreshold", 3}};
  }
  return container;
}

Json container_status(const std::string& name, int index) {
  return {{"name", name},
          {"containerID", cat("containerd://", std::string(56, 'c'), hex(index))},
          {"image", "registry.example.com/tidegate/runtime-tensorflow:1.4.2"},
          {"imageID", cat("registry.example.com/tidegate/runtime-tensorflow@sha256:", std::string(64, 'd'))},
          {"ready", true},
          {"started", true},
          {"restartCount", 0},
          {"state", {{"running", {{"startedAt", kTime}}}}},
          {"lastState", Json::object()}};
}

Json condition(const char* type, const char* reason) {
  return {{"type", type},
          {"status", "True"},
          {"reason", reason},
          {"message", "as it should be"},
          {"lastTransitionTime", kTime},
          {"lastProbeTime", nullptr}};
}

}  // namespace

std::string pod_text(int index, int extra_containers) {
  const std::string name = cat("digits-", index, "-0a1b2c3d-7d9c8b6f5-x", index);
  Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", meta(name, "ReplicaSet", index)}};
  pod["spec"] = {{"nodeName", cat("node-", index % 100)}, {"restartPolicy", "Always"},
                 {"dnsPolicy", "ClusterFirst"},           {"serviceAccountName", "default"},
                 {"schedulerName", "default-scheduler"},  {"terminationGracePeriodSeconds", 45}};
  pod["status"] = {{"phase", "Running"},
                   {"podIP", cat("10.2.", index / 250 % 250, ".", index % 250)},
                   {"hostIP", "10.0.0.7"},
                   {"qosClass", "Burstable"},
                   {"startTime", kTime}};
  for (const char* type : {"PodScheduled", "Initialized", "ContainersReady", "Ready"}) {
    pod["status"]["conditions"].push_back(condition(type, ""));
  }
  for (int i = 0; i <= extra_containers; ++i) {
    const std::string container_name = i == 0 ? "runtime" : cat("sidecar-", i);
    pod["spec"]["containers"].push_back(container(container_name));
    pod["status"]["containerStatuses"].push_back(container_status(container_name, index + i));
  }
  add_managed_fields(pod);
  return pod.dump();
}

std::string deployment_text(int index) {
  Json deployment = {{"apiVersion", "apps/v1"},
                     {"kind", "Deployment"},
                     {"metadata", meta(cat("digits-", index, "-0a1b2c3d"), "ModelDeployment", index)}};
  const Json labels = {{"tidegate.dev/revision", cat("digits-", index, "-0a1b2c3d")}};
  deployment["spec"] = {{"replicas", 3}, {"selector", {{"matchLabels", labels}}}, {"revisionHistoryLimit", 0}};
  deployment["spec"]["template"]["metadata"]["labels"] = labels;
  deployment["spec"]["template"]["spec"]["containers"].push_back(container("runtime"));
  deployment["spec"]["template"]["spec"]["initContainers"].push_back(container("fetch"));
  deployment["status"] = {{"observedGeneration", 3},
                          {"replicas", 3},
                          {"updatedReplicas", 3},
                          {"readyReplicas", 3},
                          {"availableReplicas", 3}};
  for (const char* type : {"Available", "Progressing"}) {
    deployment["status"]["conditions"].push_back(condition(type, "MinimumReplicasAvailable"));
  }
  add_managed_fields(deployment);
  return deployment.dump();
}

std::string model_deployment_text(int index) {
  Json object = {{"apiVersion", "tidegate.dev/v1alpha1"},
                 {"kind", "ModelDeployment"},
                 {"metadata", meta(cat("digits-", index), "Team", index)}};
  object["spec"] = {{"model", {{"uri", "s3://models/digits"}, {"version", "latest"}, {"pollInterval", "60s"}}},
                    {"replicas", 3},
                    {"traffic", {{"timeout", "30s"}, {"retries", 1}, {"maxConcurrency", 1000}}}};
  for (const int weight : {5, 25, 50}) {
    object["spec"]["rollout"]["steps"].push_back({{"weight", weight}, {"hold", "30s"}});
  }
  const std::string stable = cat("digits-", index, "-0a1b2c3d");
  const std::string canary = cat("digits-", index, "-4e5f6a7b");
  Json& status = object["status"];
  status = {{"observedGeneration", 3},
            {"phase", "Progressing"},
            {"summary", "version 8 gets 25 % of the requests"},
            {"leaderEpoch", 4},
            {"address", cat("http://digits-", index, ".team.svc")},
            {"replicas", 4}};
  status["stable"] = {{"revision", stable},
                      {"version", "7"},
                      {"replicas", 3},
                      {"available", 3},
                      {"digest", cat("sha256:", std::string(64, 'a'))}};
  status["canary"] = {{"revision", canary}, {"version", "8"},       {"replicas", 1},  {"available", 1},  {"step", 1},
                      {"weight", 25},       {"verifiedWeight", 25}, {"since", kTime}, {"started", kTime}};
  status["traffic"] = {{{"revision", stable}, {"weight", 75}}, {{"revision", canary}, {"weight", 25}}};
  for (const char* check : {"errors", "latency"}) {
    status["analysis"].push_back({{"check", check},
                                  {"verdict", "Undecided"},
                                  {"stable", 0.0012},
                                  {"canary", 0.0014},
                                  {"lower", -0.002},
                                  {"upper", 0.004},
                                  {"limit", 0.01},
                                  {"requests", {{"stable", 31337}, {"canary", 10422}}}});
  }
  for (int i = 0; i < 5; ++i) {
    status["history"].push_back({{"revision", stable},
                                 {"version", cat(i)},
                                 {"outcome", "Promoted"},
                                 {"started", kTime},
                                 {"finished", kTime},
                                 {"by", "Analysis"}});
  }
  for (const char* type : {"Ready", "Reconciling", "ModelResolved", "RuntimeReady", "TrafficVerified"}) {
    Json made = condition(type, "AsExpected");
    made.erase("lastProbeTime");
    status["conditions"].push_back(std::move(made));
  }
  add_managed_fields(object);
  return object.dump();
}

std::string event_line(const std::string& object) { return cat(R"({"type":"MODIFIED","object":)", object, "}"); }

}  // namespace tidegate::bench
