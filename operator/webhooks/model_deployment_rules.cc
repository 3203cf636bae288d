#include "operator/webhooks/model_deployment_rules.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "api/json.h"
#include "base/strings.h"
#include "operator/webhooks/placeholders.h"
#include "operator/webhooks/resource_rules.h"
#include "rollout/stage.h"
#include "storage/s3_settings.h"
#include "traffic/validate.h"

namespace tidegate::operator_ {
namespace {

using api::ModelDeployment;
using base::cat;

// Of polling a store: more often costs listings and shows nothing sooner than people upload.
constexpr absl::Duration kBusyPoll = absl::Seconds(5);
// Below it more than a fifth of the versions that do no harm may be taken back.
constexpr double kLowConfidence = 0.8;
// Requests a second that few services have.
constexpr double kManyRequests = 1000;
// A pod leaves the proxies this long before it is told to end (rendering/workload.cc).
constexpr absl::Duration kEndpointRemoval = absl::Seconds(5);

void deny(Findings& findings, const char* rule, std::string path, std::string message) {
  findings.push_back({Severity::kDeny, rule, std::move(path), std::move(message)});
}

void warn(Findings& findings, const char* rule, std::string path, std::string message) {
  findings.push_back({Severity::kWarn, rule, std::move(path), std::move(message)});
}

// ---- model

void check_model(const api::ModelSpec& model, Findings& findings) {
  const absl::StatusOr<storage::StoreUri> uri = storage::parse_store_uri(model.uri);
  if (!uri.ok()) return deny(findings, "V2", "spec.model.uri", std::string(base::view(uri.status().message())));
  const std::vector<std::string> folders = absl::StrSplit(uri->prefix, '/', absl::SkipEmpty());
  if (!folders.empty() && folders.back() == model.version) {
    warn(
        findings, "W18", "spec.model.uri",
        cat("ends with the version; it names the folder above, and ", model.uri, "/", model.version, " is looked for"));
  }
  if (model.poll_interval < kBusyPoll) {
    warn(findings, "W19", "spec.model.pollInterval", "the store is listed this often; 5s or more spares it");
  }
}

// ---- hosts

void check_host(const std::string& host, const std::string& path, const References& references, Findings& findings) {
  if (const std::string fault = traffic::find_host_fault(host, references.cluster_domain); !fault.empty()) {
    return deny(findings, "V3", path, cat(host, ": ", fault));
  }
  if (const auto named = references.host_is_name_of.find(host); named != references.host_is_name_of.end()) {
    return deny(findings, "V4", path, cat(host, ": it is the own name of ModelDeployment ", named->second));
  }
  if (const auto other = references.host_claimed_by.find(host); other != references.host_claimed_by.end()) {
    deny(findings, "V5", path, cat(host, ": ModelDeployment ", other->second, " has it; remove it there first"));
  }
}

void check_hosts(const ModelDeployment& object, const References& references, Findings& findings) {
  const std::vector<std::string>& hosts = object.spec.traffic.hosts;
  for (size_t i = 0; i < hosts.size(); ++i)
    check_host(hosts[i], cat("spec.traffic.hosts[", i, "]"), references, findings);
  if (references.name_claimed_by.empty()) return;
  deny(findings, "V6", "metadata.name",
       cat("ModelDeployment ", references.name_claimed_by, " has ", object.metadata.name, ".",
           object.metadata.namespace_, " among its spec.traffic.hosts; remove it there first, or take another name"));
}

// ---- runtime

Findings check_against(const ModelDeployment& object, const api::ServingRuntime& runtime) {
  Findings findings;
  check_merged_resources(object.spec.runtime.resources, runtime.spec.container.resources, "spec.runtime.resources",
                         runtime.metadata.name, findings);
  const absl::Duration left = runtime.spec.termination_grace_period - kEndpointRemoval;
  if (object.spec.traffic.timeout > left) {
    warn(findings, "W16", "spec.traffic.timeout",
         cat("pods of runtime ", runtime.metadata.name, " end within ", api::format_duration(left),
             ", so longer requests are cut when a pod ends; raise its terminationGracePeriod"));
  }
  return findings;
}

bool has(const Findings& findings, const Finding& sought) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return std::string_view(finding.rule) == sought.rule && finding.path == sought.path;
  });
}

// What holds for all of the runtimes that may serve the object; the text is about the first.
void check_against_all(const ModelDeployment& object, const References& references, Findings& findings) {
  Findings common = check_against(object, *references.runtimes.front());
  for (const auto& runtime : references.runtimes) {
    const Findings own = check_against(object, *runtime);
    std::erase_if(common, [&](const Finding& finding) { return !has(own, finding); });
  }
  findings.insert(findings.end(), common.begin(), common.end());
}

void check_runtime(const ModelDeployment& object, const References& references, Findings& findings) {
  const api::RuntimeSpec& wanted = object.spec.runtime;
  check_resources(wanted.resources, "spec.runtime.resources", findings);
  check_placeholders(wanted.args, "spec.runtime.args", findings);
  check_placeholders(wanted.env, "spec.runtime.env", findings);
  // Whoever applies a folder of objects may bring the runtime a moment later.
  if (references.runtimes.empty()) {
    return warn(findings, wanted.name.empty() ? "W2" : "W1", "spec.runtime.name", references.no_runtime_because);
  }
  check_against_all(object, references, findings);
}

// ---- accelerator and replicas

void check_topology(const api::AcceleratorSpec& accelerator, Findings& findings) {
  if (accelerator.topology.empty()) return;
  int64_t chips = 1;
  for (const absl::string_view side : absl::StrSplit(accelerator.topology, 'x')) {
    int64_t length = 0;
    if (!absl::SimpleAtoi(side, &length) || length < 1 || length > 100'000 || chips > 1'000'000) {
      return deny(findings, "V10", "spec.accelerator.topology",
                  cat("'", accelerator.topology, "' is no shape of a slice"));
    }
    chips *= length;
  }
  if (accelerator.count > chips) {
    deny(findings, "V10", "spec.accelerator.count",
         cat("a slice of ", accelerator.topology, " has ", chips, " chips, fewer than the ", accelerator.count,
             " of one pod"));
  } else if (accelerator.count < chips) {
    warn(findings, "W20", "spec.accelerator.topology",
         cat("a slice has ", chips, " chips and a pod ", accelerator.count,
             "; pods of one slice do not work together, each serves the whole model"));
  }
}

void check_size(const api::ModelDeploymentSpec& spec, Findings& findings) {
  const bool has_accelerator = spec.accelerator.type != api::AcceleratorType::kNone;
  const api::Surge surge = spec.rollout.surge;
  if (spec.replicas == 0) {
    warn(findings, "W3", "spec.replicas", "0: nothing serves, and requests are answered 503");
  }
  if (has_accelerator && surge == api::Surge::kNever && spec.replicas == 1) {
    warn(findings, "W4", "spec.rollout.surge",
         "Never with one replica: it holds the device, so no version can replace it; use Auto, or 2 replicas or more");
  }
  if (!has_accelerator && surge != api::Surge::kAuto) {
    warn(findings, "W5", "spec.rollout.surge", "means nothing without an accelerator");
  }
  if (has_accelerator) return;
  for (const api::ResourceList* list : {&spec.runtime.resources.requests, &spec.runtime.resources.limits}) {
    for (const auto& [name, quantity] : *list) {
      if (!name.ends_with("/gpu") && name != "google.com/tpu") continue;
      warn(findings, "W21",
           cat("spec.runtime.resources.", list == &spec.runtime.resources.limits ? "limits." : "requests.", name),
           "a device belongs in spec.accelerator, which also chooses nodes and tolerates their taints");
    }
  }
}

// ---- rollout

// Fewest canary requests from which a check can pass: none of them failed, and still at the confidence asked for no
// more than the limit do (1 − limit)^n ≤ 1 − confidence.
double fewest_requests(const api::Check& check, double confidence) {
  double limit = 0;
  if (check.metric == api::Metric::kLatency) limit = 1 - check.quantile;
  if (check.max) limit = *check.max;
  if (check.max_increase) limit = *check.max_increase;
  return limit > 0 && limit < 1 ? std::log(1 - confidence) / std::log1p(-limit) : 0;
}

// To leave an early step, three times the limit need be excluded only (docs/analysis.md).
double requests_for_step(const api::AnalysisSpec& analysis, bool last_step) {
  double most = 0;
  for (const api::Check& check : analysis.checks) most = std::max(most, fewest_requests(check, analysis.confidence));
  return analysis.design_effect * std::max<double>(analysis.min_requests, last_step ? most : most / 3);
}

void check_traffic_needed(const api::RolloutSpec& rollout, Findings& findings) {
  if (rollout.analysis.checks.empty()) return;
  for (size_t i = 0; i < rollout.steps.size(); ++i) {
    const double requests = requests_for_step(rollout.analysis, i + 1 == rollout.steps.size());
    const double rate = requests * 100 / rollout.steps[i].weight / absl::ToDoubleSeconds(rollout.analysis.max_duration);
    if (rate <= kManyRequests) continue;
    return warn(findings, "W11", cat("spec.rollout.steps[", i, "].weight"),
                cat(rollout.steps[i].weight, " % can be judged within analysis.maxDuration (",
                    api::format_duration(rollout.analysis.max_duration), ") from ",
                    static_cast<int64_t>(std::ceil(rate)), " requests a second on"));
  }
}

void check_steps(const api::ModelDeploymentSpec& spec, Findings& findings) {
  const std::vector<api::RolloutStep>& steps = spec.rollout.steps;
  if (steps.empty()) {
    warn(findings, "W7", "spec.rollout.steps", "empty: a new version gets all requests at once, without analysis");
  } else if (spec.rollout.analysis.checks.empty()) {
    warn(findings, "W8", "spec.rollout.analysis.checks",
         "empty: a version that answers wrongly or slowly is promoted too");
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    if (!steps[i].replicas || spec.replicas == 0) continue;
    const std::string path = cat("spec.rollout.steps[", i, "].replicas");
    const int needed = rollout::replicas_to_carry(steps[i].weight, spec.replicas);
    if (*steps[i].replicas < needed) {
      warn(findings, "W12", path, cat(steps[i].weight, " % of the requests are meant for ", needed, " pods or more"));
    } else if (*steps[i].replicas > spec.replicas) {
      warn(findings, "W12", path, cat("is more than the ", spec.replicas, " of spec.replicas"));
    }
  }
}

void check_rollout(const api::ModelDeploymentSpec& spec, Findings& findings) {
  check_steps(spec, findings);
  check_traffic_needed(spec.rollout, findings);
  const api::AnalysisSpec& analysis = spec.rollout.analysis;
  if (analysis.on_inconclusive == api::OnInconclusive::kPromote) {
    warn(findings, "W9", "spec.rollout.analysis.onInconclusive",
         "Promote: with too little traffic, nothing is measured and all is promoted");
  }
  if (analysis.confidence < kLowConfidence) {
    warn(findings, "W10", "spec.rollout.analysis.confidence",
         cat(analysis.confidence, ": up to ", std::lround((1 - analysis.confidence) * 100),
             " % of harmless versions are taken back"));
  }
}

// ---- commands

constexpr std::string_view kCommandPrefix = "tidegate.dev/";

// Why a command does nothing; empty if it does something.
std::string why_ignored(const std::string& command, const std::string& argument, const ModelDeployment& object) {
  const std::optional<api::CanaryStatus>& canary = object.status.canary;
  if (command == api::kPromoteAnnotation || command == api::kAbortAnnotation) {
    return canary && canary->revision == argument ? "" : cat("revision ", argument, " is not being rolled out");
  }
  if (command == api::kRetryAnnotation) {
    const auto& list = object.status.quarantined;
    const bool found =
        std::any_of(list.begin(), list.end(), [&](const auto& entry) { return entry.revision == argument; });
    return found ? "" : cat("revision ", argument, " is not quarantined");
  }
  if (command == api::kResumeAnnotation) {
    int step = 0;
    if (!absl::SimpleAtoi(argument, &step)) return cat("'", argument, "' is not the number of a step");
    return canary && canary->step == step ? "" : cat("the rollout is not at step ", step);
  }
  return "there are promote, abort, retry and resume";
}

}  // namespace

Findings check_model_deployment(const ModelDeployment& object, const References& references) {
  Findings findings;
  check_model(object.spec.model, findings);
  check_hosts(object, references, findings);
  check_runtime(object, references, findings);
  check_topology(object.spec.accelerator, findings);
  check_size(object.spec, findings);
  check_rollout(object.spec, findings);
  return findings;
}

Findings check_commands(const ModelDeployment& after, const ModelDeployment* before) {
  Findings findings;
  for (const auto& [name, argument] : after.metadata.annotations) {
    if (!name.starts_with(kCommandPrefix) || argument.empty()) continue;
    if (before != nullptr) {
      const auto known = before->metadata.annotations.find(name);
      if (known != before->metadata.annotations.end() && known->second == argument) continue;
    }
    const std::string why = why_ignored(name, argument, after);
    if (!why.empty()) warn(findings, "W17", cat("metadata.annotations[", name, "]"), cat("will be ignored: ", why));
  }
  return findings;
}

}  // namespace tidegate::operator_
