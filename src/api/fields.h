#pragma once
// The one list of every struct's JSON fields. Reading, writing and the test that compares these types with the CRDs are
// visitors of it, so they cannot drift apart.
//
// A visitor offers
//   v.required("name", member)   always written; an error when it is missing
//   v.optional("name", member)   written unless empty; keeps its initial value when it is missing
// Enums list their names in enum_names().

#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "api/runtime_types.h"
#include "api/types.h"

namespace tidegate::api {

template <class E>
using EnumTable = std::vector<std::pair<E, std::string_view>>;

template <class E>
const EnumTable<E>& enum_names();

#define TIDEGATE_ENUM(E, ...)                                       \
  template <>                                                       \
  inline const EnumTable<E>& enum_names<E>() {                      \
    static const auto* const table = new EnumTable<E>(__VA_ARGS__); \
    return *table;                                                  \
  }

TIDEGATE_ENUM(AcceleratorType, {{AcceleratorType::kNone, "none"},
                                {AcceleratorType::kGpu, "gpu"},
                                {AcceleratorType::kTpu, "tpu"},
                                {AcceleratorType::kCustom, "custom"}})
TIDEGATE_ENUM(Metric, {{Metric::kErrorRate, "ErrorRate"}, {Metric::kLatency, "Latency"}})
TIDEGATE_ENUM(OnInconclusive, {{OnInconclusive::kHold, "Hold"},
                               {OnInconclusive::kPromote, "Promote"},
                               {OnInconclusive::kRollback, "Rollback"}})
TIDEGATE_ENUM(ErrorClass, {{ErrorClass::k5xx, "5xx"},
                           {ErrorClass::k429, "429"},
                           {ErrorClass::kTimeout, "timeout"},
                           {ErrorClass::kReset, "reset"}})
TIDEGATE_ENUM(Strategy, {{Strategy::kCanary, "Canary"}})
TIDEGATE_ENUM(OnFailure, {{OnFailure::kRollback, "Rollback"}, {OnFailure::kPause, "Pause"}})
TIDEGATE_ENUM(Surge, {{Surge::kAuto, "Auto"}, {Surge::kAlways, "Always"}, {Surge::kNever, "Never"}})
TIDEGATE_ENUM(Phase, {{Phase::kPending, "Pending"},
                      {Phase::kProgressing, "Progressing"},
                      {Phase::kPaused, "Paused"},
                      {Phase::kHealthy, "Healthy"},
                      {Phase::kRolledBack, "RolledBack"},
                      {Phase::kDegraded, "Degraded"}})
TIDEGATE_ENUM(Verdict, {{Verdict::kUndecided, "Undecided"}, {Verdict::kPass, "Pass"}, {Verdict::kFail, "Fail"}})
TIDEGATE_ENUM(Outcome, {{Outcome::kPromoted, "Promoted"},
                        {Outcome::kRolledBack, "RolledBack"},
                        {Outcome::kAborted, "Aborted"},
                        {Outcome::kReplaced, "Replaced"}})
TIDEGATE_ENUM(ConditionStatus, {{ConditionStatus::kTrue, "True"},
                                {ConditionStatus::kFalse, "False"},
                                {ConditionStatus::kUnknown, "Unknown"}})
TIDEGATE_ENUM(ModelFormat, {{ModelFormat::kSavedModel, "savedmodel"},
                            {ModelFormat::kOnnx, "onnx"},
                            {ModelFormat::kTflite, "tflite"}})
TIDEGATE_ENUM(PullPolicy, {{PullPolicy::kAlways, "Always"},
                           {PullPolicy::kIfNotPresent, "IfNotPresent"},
                           {PullPolicy::kNever, "Never"}})
#undef TIDEGATE_ENUM

// The name that JSON carries: enum_name(Phase::kHealthy) == "Healthy".
template <class E>
  requires std::is_enum_v<E>
std::string_view enum_name(E value) {
  for (const auto& [candidate, name] : enum_names<E>()) {
    if (candidate == value) return name;
  }
  return "";
}

// T or const T: one list serves readers and writers.
template <class X, class T>
concept Maybe = std::same_as<std::remove_const_t<X>, T>;

// ---- spec

void visit_fields(auto& v, Maybe<Credentials> auto& x) { v.required("secretName", x.secret_name); }

void visit_fields(auto& v, Maybe<ModelSpec> auto& x) {
  v.required("uri", x.uri);
  v.required("version", x.version);
  v.optional("pollInterval", x.poll_interval);
  v.optional("credentials", x.credentials);
}

void visit_fields(auto& v, Maybe<EnvVar> auto& x) {
  v.required("name", x.name);
  v.optional("value", x.value);
}

void visit_fields(auto& v, Maybe<Resources> auto& x) {
  v.optional("requests", x.requests);
  v.optional("limits", x.limits);
}

void visit_fields(auto& v, Maybe<RuntimeSpec> auto& x) {
  v.optional("name", x.name);
  v.optional("follow", x.follow);
  v.optional("env", x.env);
  v.optional("args", x.args);
  v.optional("resources", x.resources);
}

void visit_fields(auto& v, Maybe<AcceleratorSpec> auto& x) {
  v.optional("type", x.type);
  v.optional("resource", x.resource);
  v.optional("count", x.count);
  v.optional("product", x.product);
  v.optional("topology", x.topology);
}

void visit_fields(auto&, Maybe<Pause> auto&) {}

void visit_fields(auto& v, Maybe<RolloutStep> auto& x) {
  v.required("weight", x.weight);
  v.optional("hold", x.hold);
  v.optional("pause", x.pause);
  v.optional("replicas", x.replicas);
}

void visit_fields(auto& v, Maybe<Check> auto& x) {
  v.required("name", x.name);
  v.required("metric", x.metric);
  v.optional("max", x.max);
  v.optional("maxIncrease", x.max_increase);
  v.optional("maxRatio", x.max_ratio);
  v.optional("maxLatency", x.max_latency);
  v.optional("quantile", x.quantile);
  v.optional("minDelta", x.min_delta);
}

void visit_fields(auto& v, Maybe<AnalysisSpec> auto& x) {
  v.optional("checks", x.checks);
  v.optional("confidence", x.confidence);
  v.optional("minRequests", x.min_requests);
  v.optional("maxDuration", x.max_duration);
  v.optional("onInconclusive", x.on_inconclusive);
  v.optional("errors", x.errors);
  v.optional("designEffect", x.design_effect);
}

void visit_fields(auto& v, Maybe<RolloutSpec> auto& x) {
  v.optional("strategy", x.strategy);
  v.optional("steps", x.steps);
  v.optional("analysis", x.analysis);
  v.optional("onFailure", x.on_failure);
  v.optional("progressDeadline", x.progress_deadline);
  v.optional("scaleDownDelay", x.scale_down_delay);
  v.optional("surge", x.surge);
  v.optional("historyLimit", x.history_limit);
}

void visit_fields(auto& v, Maybe<TrafficSpec> auto& x) {
  v.optional("hosts", x.hosts);
  v.optional("timeout", x.timeout);
  v.optional("retries", x.retries);
  v.optional("maxConcurrency", x.max_concurrency);
}

void visit_fields(auto& v, Maybe<ModelDeploymentSpec> auto& x) {
  v.required("model", x.model);
  v.optional("runtime", x.runtime);
  v.optional("accelerator", x.accelerator);
  v.optional("replicas", x.replicas);
  v.optional("rollout", x.rollout);
  v.optional("traffic", x.traffic);
  v.optional("paused", x.paused);
}

// ---- status

void visit_fields(auto& v, Maybe<RevisionStatus> auto& x) {
  v.required("revision", x.revision);
  v.required("version", x.version);
  v.optional("sourceDigest", x.source_digest);
  v.optional("digest", x.digest);
  v.optional("replicas", x.replicas);
  v.optional("available", x.available);
}

void visit_fields(auto& v, Maybe<CanaryStatus> auto& x) {
  v.required("revision", x.revision);
  v.required("version", x.version);
  v.optional("sourceDigest", x.source_digest);
  v.optional("digest", x.digest);
  v.optional("replicas", x.replicas);
  v.optional("available", x.available);
  v.optional("step", x.step);
  v.optional("stepWeights", x.step_weights);
  v.optional("weight", x.weight);
  v.optional("verifiedWeight", x.verified_weight);
  v.optional("started", x.started);
  v.optional("since", x.since);
  v.optional("measureFrom", x.measure_from);
  v.optional("lastProgress", x.last_progress);
  v.optional("pausedSince", x.paused_since);
  v.optional("resumedStep", x.resumed_step);
  v.optional("promoted", x.promoted);
  v.optional("failure", x.failure);
}

void visit_fields(auto& v, Maybe<DrainingStatus> auto& x) {
  v.required("revision", x.revision);
  v.required("version", x.version);
  v.required("since", x.since);
  v.optional("verifiedAt", x.verified_at);
  v.optional("verifiedResourceVersion", x.verified_resource_version);
}

void visit_fields(auto& v, Maybe<TrafficShare> auto& x) {
  v.required("revision", x.revision);
  v.required("weight", x.weight);
}

void visit_fields(auto& v, Maybe<RequestCounts> auto& x) {
  v.required("stable", x.stable);
  v.required("canary", x.canary);
}

void visit_fields(auto& v, Maybe<AnalysisResult> auto& x) {
  v.required("check", x.check);
  v.required("verdict", x.verdict);
  v.optional("stable", x.stable);
  v.optional("canary", x.canary);
  v.optional("lower", x.lower);
  v.optional("upper", x.upper);
  v.optional("limit", x.limit);
  v.optional("requests", x.requests);
  v.optional("requestsNeeded", x.requests_needed);
  v.optional("message", x.message);
}

void visit_fields(auto& v, Maybe<QuarantinedRevision> auto& x) {
  v.required("revision", x.revision);
  v.required("version", x.version);
  v.optional("digest", x.digest);
  v.required("reason", x.reason);
  v.optional("message", x.message);
  v.required("since", x.since);
}

void visit_fields(auto& v, Maybe<HistoryEntry> auto& x) {
  v.required("revision", x.revision);
  v.required("version", x.version);
  v.optional("digest", x.digest);
  v.required("outcome", x.outcome);
  v.required("started", x.started);
  v.required("finished", x.finished);
  v.optional("by", x.by);
  v.optional("message", x.message);
}

void visit_fields(auto& v, Maybe<HandledCommand> auto& x) {
  v.required("command", x.command);
  v.required("argument", x.argument);
  v.required("at", x.at);
}

void visit_fields(auto& v, Maybe<Condition> auto& x) {
  v.required("type", x.type);
  v.required("status", x.status);
  v.required("reason", x.reason);
  v.required("message", x.message);
  v.required("lastTransitionTime", x.last_transition_time);
  v.optional("observedGeneration", x.observed_generation);
}

void visit_fields(auto& v, Maybe<ModelDeploymentStatus> auto& x) {
  v.optional("observedGeneration", x.observed_generation);
  v.optional("phase", x.phase);
  v.optional("summary", x.summary);
  v.optional("stable", x.stable);
  v.optional("canary", x.canary);
  v.optional("draining", x.draining);
  v.optional("traffic", x.traffic);
  v.optional("leaderEpoch", x.leader_epoch);
  v.optional("analysis", x.analysis);
  v.optional("quarantined", x.quarantined);
  v.optional("history", x.history);
  v.optional("handledCommands", x.handled_commands);
  v.optional("address", x.address);
  v.optional("conditions", x.conditions);
  v.optional("replicas", x.replicas);
  v.optional("selector", x.selector);
}

// ---- runtimes

void visit_fields(auto& v, Maybe<SupportedFormat> auto& x) {
  v.required("name", x.name);
  v.optional("autoSelect", x.auto_select);
  v.optional("priority", x.priority);
}

void visit_fields(auto& v, Maybe<RuntimeContainer> auto& x) {
  v.required("image", x.image);
  v.optional("imagePullPolicy", x.image_pull_policy);
  v.optional("command", x.command);
  v.optional("args", x.args);
  v.optional("env", x.env);
  v.optional("resources", x.resources);
}

void visit_fields(auto& v, Maybe<FetchContainer> auto& x) { v.required("image", x.image); }

void visit_fields(auto& v, Maybe<RuntimeProbes> auto& x) {
  v.optional("readiness", x.readiness);
  v.optional("liveness", x.liveness);
}

void visit_fields(auto& v, Maybe<ServingRuntimeSpec> auto& x) {
  v.required("supportedFormats", x.supported_formats);
  v.required("container", x.container);
  v.required("fetch", x.fetch);
  v.optional("probes", x.probes);
  v.optional("terminationGracePeriod", x.termination_grace_period);
}

}  // namespace tidegate::api
