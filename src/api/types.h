#pragma once
// The kinds of group tidegate.dev/v1alpha1 as plain structs: what a person writes (`…Spec`) and what the operator
// remembers between two looks (`…Status`). crds/*.yaml is the source of truth; a test compares both, field by field.
// A member initialiser here is the schema's default, so a spec built in C++ is the spec that the API server would
// store. Everybody may include this; nothing here does anything. Parsing and writing: json.h.
//
// Durations are Kubernetes style strings in JSON ("30s", "10m"), times RFC 3339 in UTC with whole seconds or
// milliseconds. `absl::InfinitePast()` never appears: what may be absent is std::optional.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>

namespace tidegate::api {

inline constexpr char kGroup[] = "tidegate.dev";
inline constexpr char kVersion[] = "v1alpha1";
inline constexpr char kApiVersion[] = "tidegate.dev/v1alpha1";
inline constexpr char kModelDeploymentKind[] = "ModelDeployment";

// The fields of Kubernetes' ObjectMeta that we read.
struct ObjectMeta {
  std::string name;
  std::string namespace_;
  std::string uid;
  std::string resource_version;
  int64_t generation = 0;
  std::optional<absl::Time> creation_timestamp;
  std::optional<absl::Time> deletion_timestamp;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;

  friend bool operator==(const ObjectMeta&, const ObjectMeta&) = default;
};

// ---------------------------------------------------------------- ModelDeployment.spec

inline constexpr char kLatestVersion[] = "latest";

struct Credentials {
  std::string secret_name;  // a Secret of the object's own namespace

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

struct ModelSpec {
  std::string uri;      // s3://bucket/prefix: the folder that holds one folder a version
  std::string version;  // the name of a version's folder (a number), or "latest": the highest number there is
  absl::Duration poll_interval = absl::Seconds(60);  // how often the store is listed; ≥ 1 s
  std::optional<Credentials> credentials;            // absent: anonymous

  friend bool operator==(const ModelSpec&, const ModelSpec&) = default;
};

struct EnvVar {
  std::string name;
  std::string value;

  friend bool operator==(const EnvVar&, const EnvVar&) = default;
};

// Kubernetes quantities by resource name, as text: {"cpu": "500m", "memory": "1Gi"}.
using ResourceList = std::map<std::string, std::string>;

struct Resources {
  ResourceList requests;
  ResourceList limits;

  friend bool operator==(const Resources&, const Resources&) = default;
};

struct RuntimeSpec {
  std::string name;     // ServingRuntime of the namespace, else ClusterServingRuntime; empty: chosen by model format
  bool follow = false;  // true: an edited runtime starts a canary of its own
  std::vector<EnvVar> env;
  std::vector<std::string> args;  // appended to the runtime's own
  Resources resources;

  friend bool operator==(const RuntimeSpec&, const RuntimeSpec&) = default;
};

enum class AcceleratorType { kNone, kGpu, kTpu, kCustom };

struct AcceleratorSpec {
  AcceleratorType type = AcceleratorType::kNone;
  std::string resource;  // empty: nvidia.com/gpu for gpu, google.com/tpu for tpu; custom must name it
  int count = 1;         // devices a pod, ≥ 1
  std::string product;   // empty: any; else the value of the well-known node label of the resource
  std::string topology;  // TPU slice, "2x2"; tpu only

  friend bool operator==(const AcceleratorSpec&, const AcceleratorSpec&) = default;
};

struct Pause {  // `pause: {}`: until a person resumes
  friend bool operator==(const Pause&, const Pause&) = default;
};

struct RolloutStep {
  int weight = 0;                              // per cent of requests for the canary, 1–100
  absl::Duration hold = absl::ZeroDuration();  // at least so long at this weight, from when the proxies confirmed it
  std::optional<Pause> pause;                  // when the step would pass, wait for a person
  std::optional<int> replicas;                 // of the canary during this step; absent: what the weight needs

  friend bool operator==(const RolloutStep&, const RolloutStep&) = default;
};

enum class Metric { kErrorRate, kLatency };

// One comparison. Exactly one limit is given: max, maxIncrease or maxRatio for ErrorRate; maxLatency or maxRatio for
// Latency. The schema enforces it; a planner that meets another combination treats the check as Undecided.
struct Check {
  std::string name;  // unique among the checks
  Metric metric = Metric::kErrorRate;
  std::optional<double> max;                         // ErrorRate: share of failed requests, 0–1
  std::optional<double> max_increase;                // ErrorRate: canary minus stable, 0–1
  std::optional<double> max_ratio;                   // canary over stable, > 1
  std::optional<absl::Duration> max_latency;         // Latency: at the quantile
  double quantile = 0.95;                            // Latency: 0.5–0.999
  absl::Duration min_delta = absl::Milliseconds(5);  // Latency maxRatio: a smaller difference never counts as harm

  friend bool operator==(const Check&, const Check&) = default;
};

enum class OnInconclusive { kHold, kPromote, kRollback };
enum class ErrorClass { k5xx, k429, kTimeout, kReset };

// The pair that a ModelDeployment without `checks` gets: errors maxIncrease 0.01, latency p95 maxRatio 1.2.
std::vector<Check> default_checks();

struct AnalysisSpec {
  std::vector<Check> checks = default_checks();
  double confidence = 0.95;                         // 0.5–0.9999; a good version is rolled back in ≤ 1 − confidence
  int min_requests = 50;                            // per revision and step, before a step may pass
  absl::Duration max_duration = absl::Minutes(30);  // of a step without a verdict; then onInconclusive
  OnInconclusive on_inconclusive = OnInconclusive::kHold;
  std::vector<ErrorClass> errors = {ErrorClass::k5xx, ErrorClass::k429, ErrorClass::kTimeout, ErrorClass::kReset};
  double design_effect = 1;  // ≥ 1: counts are divided by it, because requests of one moment resemble each other

  friend bool operator==(const AnalysisSpec&, const AnalysisSpec&) = default;
};

enum class Strategy { kCanary };
enum class OnFailure { kRollback, kPause };
enum class Surge { kAuto, kAlways, kNever };

// 5, 25, 50.
std::vector<RolloutStep> default_steps();

struct RolloutSpec {
  Strategy strategy = Strategy::kCanary;
  std::vector<RolloutStep> steps = default_steps();  // weights strictly rising; may be empty: no step, no analysis
  AnalysisSpec analysis;
  OnFailure on_failure = OnFailure::kRollback;
  absl::Duration progress_deadline = absl::Minutes(10);
  absl::Duration scale_down_delay = absl::Seconds(30);
  Surge surge = Surge::kAuto;  // may both versions hold accelerators at once?
  int history_limit = 10;      // old revisions (at 0 replicas) and history entries that are kept, 1–50

  friend bool operator==(const RolloutSpec&, const RolloutSpec&) = default;
};

struct TrafficSpec {
  std::vector<std::string> hosts;              // further host names, beside <name>.<namespace>.svc
  absl::Duration timeout = absl::Seconds(30);  // of one request
  int retries = 1;                             // on refused connections only: a request is never inferred twice
  int max_concurrency = 1000;                  // requests at once a revision and gateway; more get 503

  friend bool operator==(const TrafficSpec&, const TrafficSpec&) = default;
};

struct ModelDeploymentSpec {
  ModelSpec model;
  RuntimeSpec runtime;
  AcceleratorSpec accelerator;
  int replicas = 1;  // ≥ 0. An autoscaler may own it: it finds it through the scale subresource, which needs a value
  RolloutSpec rollout;
  TrafficSpec traffic;
  bool paused = false;  // stops progress; scaling, healing and rollback go on

  friend bool operator==(const ModelDeploymentSpec&, const ModelDeploymentSpec&) = default;
};

// ---------------------------------------------------------------- ModelDeployment.status

enum class Phase { kPending, kProgressing, kPaused, kHealthy, kRolledBack, kDegraded };

struct RevisionStatus {
  std::string revision;       // name of its Deployment: <object>-<8 hex>
  std::string version;        // the resolved one: "7", never "latest"
  std::string source_digest;  // hex SHA-256 over the listing (paths, sizes, ETags); names the revision
  std::string digest;         // "sha256:…" of the content, once a pod has fetched it; empty before
  int replicas = 0;           // asked for
  int available = 0;          // serving

  friend bool operator==(const RevisionStatus&, const RevisionStatus&) = default;
};

struct CanaryStatus {
  std::string revision;
  std::string version;
  std::string source_digest;
  std::string digest;
  int replicas = 0;
  int available = 0;

  std::optional<int> step;                  // index into spec.rollout.steps; absent: not sent any traffic yet
  std::vector<int> step_weights;            // of the steps that it counts, in case others take their place
  int weight = 0;                           // wanted (what status.traffic says)
  int verified_weight = 0;                  // confirmed by every proxy
  std::optional<absl::Time> started;        // the rollout
  std::optional<absl::Time> since;          // the present step (weight written)
  std::optional<absl::Time> measure_from;   // the weight was verified: only what began later counts (rule 8)
  std::optional<absl::Time> last_progress;  // a replica became available or a step passed (rule 16)
  std::optional<absl::Time> paused_since;   // pauses do not count against the deadline
  std::optional<int> resumed_step;          // a person resumed this step's pause
  bool promoted = false;                    // a person asked to skip the rest of the analysis (rule 17)
  std::string failure;                      // reason of a failure that onFailure: Pause only froze; empty: none

  friend bool operator==(const CanaryStatus&, const CanaryStatus&) = default;
};

// A revision on its way out: no weight, its pods still there (rule 4).
struct DrainingStatus {
  std::string revision;
  std::string version;
  absl::Time since;                       // weight 0 was written
  std::optional<absl::Time> verified_at;  // every proxy confirmed weight 0
  std::string verified_resource_version;  // what they had applied by then; empty before

  friend bool operator==(const DrainingStatus&, const DrainingStatus&) = default;
};

struct TrafficShare {
  std::string revision;
  int weight = 0;  // per cent; the shares sum to 100 once anything serves

  friend bool operator==(const TrafficShare&, const TrafficShare&) = default;
};

enum class Verdict { kUndecided, kPass, kFail };

struct RequestCounts {
  int64_t stable = 0;
  int64_t canary = 0;

  friend bool operator==(const RequestCounts&, const RequestCounts&) = default;
};

// What a check says at present. Rates are shares of requests (0–1), of errors or of requests slower than the limit.
struct AnalysisResult {
  std::string check;
  Verdict verdict = Verdict::kUndecided;
  std::optional<double> stable;
  std::optional<double> canary;
  std::optional<double> lower;  // of the confidence interval of what the check limits
  std::optional<double> upper;
  std::optional<double> limit;  // the limit that was really tested, in the unit of lower and upper
  RequestCounts requests;
  std::optional<int64_t> requests_needed;  // canary requests still missing for a Pass at the present estimate
  std::string message;

  friend bool operator==(const AnalysisResult&, const AnalysisResult&) = default;
};

struct QuarantinedRevision {
  std::string revision;
  std::string version;
  std::string digest;
  std::string reason;  // CamelCase
  std::string message;
  absl::Time since;

  friend bool operator==(const QuarantinedRevision&, const QuarantinedRevision&) = default;
};

enum class Outcome { kPromoted, kRolledBack, kAborted, kReplaced };

struct HistoryEntry {
  std::string revision;
  std::string version;
  std::string digest;
  Outcome outcome = Outcome::kPromoted;
  absl::Time started;
  absl::Time finished;
  std::string by;  // Analysis, Deadline, Runtime, Person, Spec, FirstDeployment
  std::string message;

  friend bool operator==(const HistoryEntry&, const HistoryEntry&) = default;
};

enum class ConditionStatus { kTrue, kFalse, kUnknown };

struct Condition {
  std::string type;
  ConditionStatus status = ConditionStatus::kUnknown;
  std::string reason;  // CamelCase, never empty
  std::string message;
  absl::Time last_transition_time;  // changes only when `status` flips
  int64_t observed_generation = 0;

  friend bool operator==(const Condition&, const Condition&) = default;
};

// The condition types, in the order of status.conditions.
inline constexpr char kReady[] = "Ready";
inline constexpr char kReconciling[] = "Reconciling";
inline constexpr char kStalled[] = "Stalled";
inline constexpr char kModelResolved[] = "ModelResolved";
inline constexpr char kRuntimeReady[] = "RuntimeReady";
inline constexpr char kCapacityAvailable[] = "CapacityAvailable";
inline constexpr char kTrafficVerified[] = "TrafficVerified";
inline constexpr char kAnalysisPassing[] = "AnalysisPassing";

// A person's command is an annotation, `tidegate.dev/<command>: <argument>`. It is acted on once: the argument last
// acted on is kept here for as long as the annotation is there, so to repeat one, remove it and set it again.
inline constexpr char kPromoteAnnotation[] = "tidegate.dev/promote";  // argument: revision
inline constexpr char kAbortAnnotation[] = "tidegate.dev/abort";      // argument: revision
inline constexpr char kRetryAnnotation[] = "tidegate.dev/retry";      // argument: revision
inline constexpr char kResumeAnnotation[] = "tidegate.dev/resume";    // argument: step (index)

struct HandledCommand {
  std::string command;  // promote, abort, retry, resume
  std::string argument;
  absl::Time at;

  friend bool operator==(const HandledCommand&, const HandledCommand&) = default;
};

struct ModelDeploymentStatus {
  int64_t observed_generation = 0;
  Phase phase = Phase::kPending;
  std::string summary;  // one sentence for a person
  std::optional<RevisionStatus> stable;
  std::optional<CanaryStatus> canary;
  std::vector<DrainingStatus> draining;
  std::vector<TrafficShare> traffic;  // written before it is programmed; what every replica serves to the proxies
  int64_t leader_epoch = 0;           // lease transitions of the writer; a writer with a lower one stops
  std::vector<AnalysisResult> analysis;
  std::vector<QuarantinedRevision> quarantined;  // newest last, ≤ 20
  std::vector<HistoryEntry> history;             // newest last, ≤ spec.rollout.historyLimit
  std::vector<HandledCommand> handled_commands;
  std::string address;  // http://<name>.<namespace>.svc
  std::vector<Condition> conditions;
  int replicas = 0;      // of all revisions, for the scale subresource
  std::string selector;  // of all revisions' pods, for the scale subresource

  friend bool operator==(const ModelDeploymentStatus&, const ModelDeploymentStatus&) = default;
};

struct ModelDeployment {
  ObjectMeta metadata;
  ModelDeploymentSpec spec;
  ModelDeploymentStatus status;

  friend bool operator==(const ModelDeployment&, const ModelDeployment&) = default;
};

}  // namespace tidegate::api
