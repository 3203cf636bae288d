#pragma once
// Slim Kubernetes objects: only the fields that Tidegate reads, so that ten thousand of them stay small. Each has one
// decoder, for Store<T> and for whoever has a Json (which is a view): INVALID_ARGUMENT names the object and the field
// that is not what the API promises.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/object_key.h"
#include "kube/json.h"

namespace tidegate::kube {

using StringMap = std::map<std::string, std::string>;

// The owner with controller: true.
struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
};

struct ObjectMeta {
  std::string ns;
  std::string name;
  std::string uid;
  std::string resource_version;
  int64_t generation = 0;
  StringMap labels;
  StringMap annotations;  // without kubectl's last-applied-configuration
  std::optional<OwnerReference> controller;
  absl::Time created = absl::InfinitePast();
  std::optional<absl::Time> deleted;  // deletionTimestamp: it is on its way out

  base::ObjectKey key() const { return {ns, name}; }
  // Empty when there is none.
  std::string label(const std::string& name) const;
  std::string annotation(const std::string& name) const;
};
// INVALID_ARGUMENT when there is no metadata.name.
absl::StatusOr<ObjectMeta> decode_meta(const JsonView& object);

struct ContainerStatus {
  enum class State { kUnknown, kWaiting, kRunning, kTerminated };

  std::string name;
  std::string container_id;  // "containerd://…"; empty before the first start
  bool init = false;
  bool ready = false;
  int32_t restart_count = 0;
  State state = State::kUnknown;
  std::string reason;     // of waiting or terminated: "CrashLoopBackOff", "OOMKilled", "Error"
  std::string message;    // of waiting or terminated; the termination message, at most 4 KiB
  int32_t exit_code = 0;  // of terminated
  // How the run before this one ended, if there was one.
  struct Termination {
    std::string reason;
    std::string message;
    int32_t exit_code = 0;
    absl::Time finished = absl::InfinitePast();
  };
  std::optional<Termination> last_termination;
};

struct Condition {
  std::string type;
  std::string status;  // "True", "False", "Unknown"
  std::string reason;
  std::string message;
  absl::Time changed = absl::InfinitePast();
};

struct Pod {
  ObjectMeta meta;
  std::string phase;  // "Pending", "Running", "Succeeded", "Failed", "Unknown"
  std::string ip;
  std::string node_name;
  std::string reason;  // status.reason: "Evicted", …
  std::string message;
  bool ready = false;  // condition Ready is True
  std::vector<Condition> conditions;
  std::vector<ContainerStatus> containers;  // init containers first, in the order of the status

  const Condition* condition(std::string_view type) const;
  const ContainerStatus* container(std::string_view name) const;
  // No container runs any more (or none ever will): phase Succeeded or Failed, or every container terminated.
  bool has_ended() const;
};

struct Deployment {
  ObjectMeta meta;
  int32_t spec_replicas = 1;
  int64_t observed_generation = 0;
  int32_t replicas = 0;
  int32_t ready_replicas = 0;
  int32_t available_replicas = 0;
  int32_t updated_replicas = 0;
  int32_t unavailable_replicas = 0;
  std::vector<Condition> conditions;

  const Condition* condition(std::string_view type) const;
};

// Values are the raw bytes, base64 undone.
struct Secret {
  ObjectMeta meta;
  std::string type;
  StringMap data;
};

struct ConfigMap {
  ObjectMeta meta;
  StringMap data;
};

struct Taint {
  std::string key;
  std::string value;
  std::string effect;  // "NoSchedule", "PreferNoSchedule", "NoExecute"
};

struct Node {
  ObjectMeta meta;
  StringMap allocatable;  // quantities as text: {"cpu": "2", "nvidia.com/gpu": "2"}
  std::vector<Taint> taints;
  bool unschedulable = false;
  bool ready = false;
};

struct Lease {
  ObjectMeta meta;
  std::string holder;  // empty: nobody
  int32_t duration_seconds = 0;
  int64_t transitions = 0;
  absl::Time acquired = absl::InfinitePast();
  absl::Time renewed = absl::InfinitePast();
};

absl::StatusOr<Pod> decode_pod(const JsonView& object);
absl::StatusOr<Deployment> decode_deployment(const JsonView& object);
absl::StatusOr<Secret> decode_secret(const JsonView& object);
absl::StatusOr<ConfigMap> decode_config_map(const JsonView& object);
absl::StatusOr<Node> decode_node(const JsonView& object);
absl::StatusOr<Lease> decode_lease(const JsonView& object);
// The whole object as the API takes it.
Json encode_lease(const Lease& lease);

// A Kubernetes quantity ("2", "500m", "1Gi") as a number. INVALID_ARGUMENT names the text.
absl::StatusOr<double> parse_quantity(std::string_view text);

}  // namespace tidegate::kube
