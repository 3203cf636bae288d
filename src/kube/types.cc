#include "kube/types.h"

#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status.h"
#include "base/strings.h"

namespace tidegate::kube {
namespace {

constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

int32_t count_at(const JsonView& object, JsonPath path, int32_t fallback = 0) {
  return static_cast<int32_t>(int_at(object, path, fallback));
}

absl::Time time_or_past(const JsonView& object, JsonPath path) {
  return time_at(object, path).value_or(absl::InfinitePast());
}

std::vector<Condition> decode_conditions(const JsonView& object) {
  std::vector<Condition> conditions;
  each_at(object, {"status", "conditions"}, [&](const JsonView& condition) {
    conditions.push_back({string_at(condition, {"type"}), string_at(condition, {"status"}),
                          string_at(condition, {"reason"}), string_at(condition, {"message"}),
                          time_or_past(condition, {"lastTransitionTime"})});
  });
  return conditions;
}

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
  auto found = std::find_if(conditions.begin(), conditions.end(), [&](const Condition& c) { return c.type == type; });
  return found == conditions.end() ? nullptr : &*found;
}

bool is_true(const std::vector<Condition>& conditions, std::string_view type) {
  const Condition* condition = find_condition(conditions, type);
  return condition != nullptr && condition->status == "True";
}

std::optional<OwnerReference> decode_controller(const JsonView& object) {
  std::optional<OwnerReference> controller;
  each_at(object, {"metadata", "ownerReferences"}, [&](const JsonView& owner) {
    if (controller || !bool_at(owner, {"controller"})) return;
    controller = OwnerReference{string_at(owner, {"apiVersion"}), string_at(owner, {"kind"}),
                                string_at(owner, {"name"}), string_at(owner, {"uid"})};
  });
  return controller;
}

void decode_state(const JsonView& status, ContainerStatus& container) {
  if (const auto waiting = find(status, {"state", "waiting"})) {
    container.state = ContainerStatus::State::kWaiting;
    container.reason = string_at(*waiting, {"reason"});
    container.message = string_at(*waiting, {"message"});
  } else if (find(status, {"state", "running"})) {
    container.state = ContainerStatus::State::kRunning;
  } else if (const auto ended = find(status, {"state", "terminated"})) {
    container.state = ContainerStatus::State::kTerminated;
    container.reason = string_at(*ended, {"reason"});
    container.message = string_at(*ended, {"message"});
    container.exit_code = count_at(*ended, {"exitCode"});
  }
}

ContainerStatus decode_container(const JsonView& status, bool init) {
  ContainerStatus container;
  container.name = string_at(status, {"name"});
  container.container_id = string_at(status, {"containerID"});
  container.init = init;
  container.ready = bool_at(status, {"ready"});
  container.restart_count = count_at(status, {"restartCount"});
  decode_state(status, container);
  if (const auto last = find(status, {"lastState", "terminated"})) {
    container.last_termination =
        ContainerStatus::Termination{string_at(*last, {"reason"}), string_at(*last, {"message"}),
                                     count_at(*last, {"exitCode"}), time_or_past(*last, {"finishedAt"})};
  }
  return container;
}

std::string lookup(const StringMap& map, const std::string& name) {
  auto found = map.find(name);
  return found == map.end() ? "" : found->second;
}

}  // namespace

std::string ObjectMeta::label(const std::string& name) const { return lookup(labels, name); }
std::string ObjectMeta::annotation(const std::string& name) const { return lookup(annotations, name); }

absl::StatusOr<ObjectMeta> decode_meta(const JsonView& object) {
  ObjectMeta meta;
  meta.ns = string_at(object, {"metadata", "namespace"});
  meta.name = string_at(object, {"metadata", "name"});
  if (meta.name.empty()) {
    return absl::InvalidArgumentError(base::cat(string_at(object, {"kind"}), " object without metadata.name"));
  }
  meta.uid = string_at(object, {"metadata", "uid"});
  meta.resource_version = resource_version_of(object);
  meta.generation = int_at(object, {"metadata", "generation"});
  meta.labels = strings_at(object, {"metadata", "labels"});
  meta.annotations = strings_at(object, {"metadata", "annotations"});
  meta.annotations.erase(kLastApplied);
  meta.controller = decode_controller(object);
  meta.created = time_or_past(object, {"metadata", "creationTimestamp"});
  meta.deleted = time_at(object, {"metadata", "deletionTimestamp"});
  return meta;
}

const Condition* Pod::condition(std::string_view type) const { return find_condition(conditions, type); }
const Condition* Deployment::condition(std::string_view type) const { return find_condition(conditions, type); }

const ContainerStatus* Pod::container(std::string_view name) const {
  auto found = std::find_if(containers.begin(), containers.end(), [&](const auto& c) { return c.name == name; });
  return found == containers.end() ? nullptr : &*found;
}

bool Pod::has_ended() const {
  if (phase == "Succeeded" || phase == "Failed") return true;
  const auto ended = [](const ContainerStatus& c) { return c.state == ContainerStatus::State::kTerminated; };
  const bool has_main = std::any_of(containers.begin(), containers.end(), [](const auto& c) { return !c.init; });
  return has_main && std::all_of(containers.begin(), containers.end(), ended);
}

absl::StatusOr<Pod> decode_pod(const JsonView& object) {
  Pod pod;
  TG_ASSIGN_OR_RETURN(pod.meta, decode_meta(object));
  pod.phase = string_at(object, {"status", "phase"});
  pod.ip = string_at(object, {"status", "podIP"});
  pod.node_name = string_at(object, {"spec", "nodeName"});
  pod.reason = string_at(object, {"status", "reason"});
  pod.message = string_at(object, {"status", "message"});
  pod.conditions = decode_conditions(object);
  pod.ready = is_true(pod.conditions, "Ready");
  each_at(object, {"status", "initContainerStatuses"},
          [&](const JsonView& status) { pod.containers.push_back(decode_container(status, true)); });
  each_at(object, {"status", "containerStatuses"},
          [&](const JsonView& status) { pod.containers.push_back(decode_container(status, false)); });
  return pod;
}

absl::StatusOr<Deployment> decode_deployment(const JsonView& object) {
  Deployment deployment;
  TG_ASSIGN_OR_RETURN(deployment.meta, decode_meta(object));
  deployment.spec_replicas = count_at(object, {"spec", "replicas"}, 1);
  deployment.observed_generation = int_at(object, {"status", "observedGeneration"});
  deployment.replicas = count_at(object, {"status", "replicas"});
  deployment.ready_replicas = count_at(object, {"status", "readyReplicas"});
  deployment.available_replicas = count_at(object, {"status", "availableReplicas"});
  deployment.updated_replicas = count_at(object, {"status", "updatedReplicas"});
  deployment.unavailable_replicas = count_at(object, {"status", "unavailableReplicas"});
  deployment.conditions = decode_conditions(object);
  return deployment;
}

absl::StatusOr<Secret> decode_secret(const JsonView& object) {
  Secret secret;
  TG_ASSIGN_OR_RETURN(secret.meta, decode_meta(object));
  secret.type = string_at(object, {"type"});
  for (const auto& [key, value] : strings_at(object, {"data"})) {
    std::string bytes;
    if (!absl::Base64Unescape(value, &bytes)) {
      return absl::InvalidArgumentError(
          base::cat("Secret ", secret.meta.key().to_string(), ": data.", key, " is not base64"));
    }
    secret.data.emplace(key, std::move(bytes));
  }
  return secret;
}

absl::StatusOr<ConfigMap> decode_config_map(const JsonView& object) {
  ConfigMap config_map;
  TG_ASSIGN_OR_RETURN(config_map.meta, decode_meta(object));
  config_map.data = strings_at(object, {"data"});
  return config_map;
}

absl::StatusOr<Node> decode_node(const JsonView& object) {
  Node node;
  TG_ASSIGN_OR_RETURN(node.meta, decode_meta(object));
  node.allocatable = strings_at(object, {"status", "allocatable"});
  each_at(object, {"spec", "taints"}, [&](const JsonView& taint) {
    node.taints.push_back({string_at(taint, {"key"}), string_at(taint, {"value"}), string_at(taint, {"effect"})});
  });
  node.unschedulable = bool_at(object, {"spec", "unschedulable"});
  node.ready = is_true(decode_conditions(object), "Ready");
  return node;
}

absl::StatusOr<Lease> decode_lease(const JsonView& object) {
  Lease lease;
  TG_ASSIGN_OR_RETURN(lease.meta, decode_meta(object));
  lease.holder = string_at(object, {"spec", "holderIdentity"});
  lease.duration_seconds = count_at(object, {"spec", "leaseDurationSeconds"});
  lease.transitions = int_at(object, {"spec", "leaseTransitions"});
  lease.acquired = time_or_past(object, {"spec", "acquireTime"});
  lease.renewed = time_or_past(object, {"spec", "renewTime"});
  return lease;
}

Json encode_lease(const Lease& lease) {
  Json object = {{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}};
  object["metadata"] = {{"namespace", lease.meta.ns}, {"name", lease.meta.name}};
  if (!lease.meta.resource_version.empty()) object["metadata"]["resourceVersion"] = lease.meta.resource_version;
  Json& spec = object["spec"];
  spec = {{"leaseDurationSeconds", lease.duration_seconds}, {"leaseTransitions", lease.transitions}};
  // The API refuses an empty holder; null says "nobody".
  spec["holderIdentity"] = lease.holder.empty() ? Json(nullptr) : Json(lease.holder);
  if (lease.acquired != absl::InfinitePast()) spec["acquireTime"] = format_micro_time(lease.acquired);
  if (lease.renewed != absl::InfinitePast()) spec["renewTime"] = format_micro_time(lease.renewed);
  return object;
}

absl::StatusOr<double> parse_quantity(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kSuffixes[] = {
      {"Ki", 0x1p10}, {"Mi", 0x1p20}, {"Gi", 0x1p30}, {"Ti", 0x1p40}, {"Pi", 0x1p50},
      {"Ei", 0x1p60}, {"n", 1e-9},    {"u", 1e-6},    {"m", 1e-3},    {"k", 1e3},
      {"M", 1e6},     {"G", 1e9},     {"T", 1e12},    {"P", 1e15},    {"E", 1e18}};
  std::string_view digits = text;
  double scale = 1;
  for (const auto& [suffix, value] : kSuffixes) {
    if (!text.ends_with(suffix)) continue;
    digits = text.substr(0, text.size() - suffix.size());
    scale = value;
    break;
  }
  double number = 0;
  if (digits.find_first_not_of("0123456789+-.eE") != std::string_view::npos ||
      !absl::SimpleAtod(base::absl_view(digits), &number) || !std::isfinite(number)) {
    return absl::InvalidArgumentError(base::cat("'", text, "' is no Kubernetes quantity"));
  }
  return number * scale;
}

}  // namespace tidegate::kube
