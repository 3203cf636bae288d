#pragma once
// Everything a plan may know: one immutable picture of a ModelDeployment and its surroundings at one instant.
//
//   watch stores, resolver, gateway readings ──► Observed ──plan()──► Plan ──► executor
//
// The operator's observer builds it from its stores without calling the network; nothing else reaches the planner, so
// the same Observed gives the same Plan, on a desk as in a cluster. What the planner has to remember from one instant
// to the next it writes into status, and finds there again: after a restart, a failover, a lost event.
//
// The life of a weight, which shapes most of these fields:
//   1. plan() puts new shares into status.traffic (Plan.status). The executor writes the status at the resourceVersion
//      that was observed; a conflict drops the whole plan.
//   2. Every replica of the operator builds the proxies' configuration from status.traffic. Its version carries the
//      resourceVersion of that write.
//   3. Gateway readings bring back which resourceVersion each proxy has applied: Proxy.applied_resource_version. When
//      all that exist have reached Observed.traffic_resource_version the weights are verified and plan() writes
//      status.canary.measureFrom.
//   4. The observer then accumulates Measurements for that measureFrom, and only those are judged.

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/types.h"
#include "stats/latency_histogram.h"

namespace tidegate::rollout {

// What spec.model and everything else that changes a pod come to.
struct WantedRevision {
  std::string revision;       // name of its Deployment: <object>-<8 hex>
  std::string version;        // never "latest"
  std::string source_digest;  // hex SHA-256 over the store's listing
};

// Why the wanted revision is not known, or why the last attempt to look again failed.
struct ResolveError {
  std::string reason;   // VersionNotFound, AccessDenied, StoreUnreachable, DigestChanged, RuntimeNotFound, …
  std::string message;  // a sentence with what to do, the store's own words included
};

// What the API server said when the wanted revision's Deployment was to be made.
struct CreateError {
  std::string revision;
  std::string message;
};

// Why the proxies are not, or not wholly, programmed as spec.traffic asks.
struct TrafficError {
  std::string reason;   // HostConflict, HostRefused, InvalidTraffic
  std::string message;  // a sentence with what to do
};

enum class PodFailureKind {
  kUnschedulable,    // the scheduler finds no node, or a quota is used up; message: the words for that
  kFetchFailed,      // the model could not be brought to the pod; reason as `tidegate-runtime fetch` gives it
  kModelLoadFailed,  // the runtime refused the model; message: its words
  kCrashLoop,        // the container ends again and again
  kImagePull,        // the image does not come
  kNotStarted,       // the kubelet cannot start the container as it stands, a Secret is missing, say; may pass
  kRefused,          // the API server takes no pod of the revision: a policy, a limit; message: its words
};

// The worst that is wrong with one pod of a revision, at present.
struct PodFailure {
  PodFailureKind kind = PodFailureKind::kCrashLoop;
  std::string pod;     // empty: there is none
  std::string reason;  // CamelCase: "ModelLoadFailed", "CorruptObject", "CrashLoopBackOff", "Unschedulable"
  std::string message;
};

// The Deployment of one revision, and what its pods say.
struct Workload {
  std::string revision;  // its name
  std::string version;   // as recorded on it
  std::string uid;
  std::string resource_version;
  std::string owner_uid;  // of the ModelDeployment that made it
  absl::Time created;
  std::string content_digest;  // "sha256:…" as a pod's fetch reported it; empty before
  int replicas = 0;            // asked for
  int ready = 0;
  int available = 0;
  int updated = 0;
  std::vector<PodFailure> failures;
};

// One gateway pod: any that exists, NotReady and Terminating included, until its containers have ended.
struct Proxy {
  std::string name;
  bool ready = false;
  uint64_t applied_resource_version = 0;        // highest ModelDeployment resourceVersion it has applied; 0: none known
  std::optional<absl::Time> unreachable_since;  // its statistics cannot be read
  bool excluded = false;  // long unreachable and taken out of the gateway's endpoints: named, not waited for
  std::string rejection;  // the proxy's words if it refused the last configuration; empty: it did not
};

// Failed requests, each in exactly one class.
struct ErrorCounts {
  int64_t http_5xx = 0;  // other than those below
  int64_t http_429 = 0;
  int64_t timeout = 0;
  int64_t reset = 0;
  int64_t model = 0;  // raised inside the model's own graph, whatever the code
};

// One revision's requests, answered within the window.
struct ArmMeasurement {
  int64_t requests = 0;
  ErrorCounts errors;
  stats::LatencyHistogram latency;  // of the requests that were answered
};

// What was measured at the present weights.
struct Measurements {
  std::string canary_revision;
  absl::Time from;   // nothing older is in it; the planner uses it only if from >= status.canary.measureFrom
  absl::Time until;  // the last reading
  ArmMeasurement stable;
  ArmMeasurement canary;
};

// The source of measurements does not answer.
struct MeasurementError {
  std::string message;
  absl::Time since;
};

struct Observed {
  absl::Time now;

  api::ObjectMeta metadata;  // annotations carry a person's commands
  api::ModelDeploymentSpec spec;
  api::ModelDeploymentStatus status;

  // The wanted revision. Both may be present: the present spec was resolved once, and looking again fails.
  std::optional<WantedRevision> wanted;
  std::optional<ResolveError> resolve_error;
  // Since when the model of the present spec is looked for; absent once something is known about it.
  std::optional<absl::Time> resolving_since;
  std::optional<CreateError> create_error;  // of the last attempt to make the wanted revision; absent: it was made
  std::optional<TrafficError> traffic_error;

  std::vector<Workload> workloads;  // all that carry the object's label, its own and those of a deleted namesake
  std::vector<Proxy> proxies;

  // The resourceVersion of the object at which the present status.traffic was written (or a later one, which the
  // proxies will be given too). 0 while status.traffic is empty.
  uint64_t traffic_resource_version = 0;

  std::optional<Measurements> measurements;
  std::optional<MeasurementError> measurement_error;

  int64_t leader_epoch = 0;  // lease transitions at which this process became the leader

  // When this process last wrote the status; numbers alone are not written more often than each kStatusNumbersPeriod.
  std::optional<absl::Time> status_written;

  std::string cluster_domain = "cluster.local";
};

}  // namespace tidegate::rollout
