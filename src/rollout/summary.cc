// One sentence for a person: what runs, what is under way, and what it waits for.
#include <absl/strings/str_join.h>

#include <string>

#include "base/strings.h"
#include "rollout/planners.h"
#include "rollout/runtime_failure.h"
#include "rollout/stage.h"
#include "rollout/text.h"

namespace tidegate::rollout {
namespace {

using base::cat;

// "errors +0.0 % [-0.4 %, +0.6 %]" for a check of errors, "2 % slower than allowed [..]" for one of latency.
std::string check_in_short(const api::Check& check, const api::AnalysisResult& result) {
  if (!result.canary || !result.lower || !result.upper) return "";
  const bool increase = check.max_increase.has_value();
  const auto number = [&](double share) { return increase ? signed_percent(share) : percent(share); };
  const std::string interval = cat(" [", number(*result.lower), ", ", number(*result.upper), "]");
  if (check.metric == api::Metric::kLatency) {
    return cat(check.name, " ", percent(*result.canary), " too slow", interval);
  }
  if (check.max_ratio) {
    return cat(check.name, " ", percent(*result.canary), " against ", percent(result.stable.value_or(0)));
  }
  const double value = increase ? *result.canary - result.stable.value_or(0) : *result.canary;
  return cat(check.name, " ", number(value), interval);
}

std::string numbers(const Draft& draft) {
  const StepVerdict& verdict = *draft.findings.verdict;
  std::string text;
  for (const api::AnalysisResult& result : verdict.checks) {
    if (text.empty()) text += cat(grouped(result.requests.canary), " requests");
    for (const api::Check& check : draft.rollout().analysis.checks) {
      const std::string short_form = check.name == result.check ? check_in_short(check, result) : "";
      if (!short_form.empty()) text += cat(", ", short_form);
    }
  }
  return text;
}

std::string limit_in_words(const api::Check& check) {
  if (check.max_increase) return signed_percent(*check.max_increase);
  if (check.max) return percent(*check.max);
  if (check.max_latency) return base::cat(absl::FormatDuration(*check.max_latency));
  return times(check.max_ratio.value_or(1));
}

// What keeps the step from being left: "holding until the limit +1 % is excluded".
std::string what_is_missing(const Draft& draft) {
  const StepVerdict& verdict = *draft.findings.verdict;
  const bool last = stage_of(draft).index >= static_cast<int>(draft.rollout().steps.size()) - 1;
  std::string text;
  for (const api::AnalysisResult& result : verdict.checks) {
    if (result.requests_needed == 0) continue;
    for (const api::Check& check : draft.rollout().analysis.checks) {
      if (check.name == result.check) {
        text = cat("holding until ", last ? "" : "three times ", "the ", check.name, " limit ", limit_in_words(check),
                   " is excluded");
      }
    }
    break;
  }
  if (text.empty()) {
    text = cat("holding until there are ", grouped(draft.rollout().analysis.min_requests), " requests");
  }
  if (verdict.requests_needed && *verdict.requests_needed > 0) {
    text += cat(", about ", grouped(*verdict.requests_needed), " more requests");
    if (verdict.eta) text += cat(" (", duration(*verdict.eta), ")");
  }
  return text;
}

std::string measuring(const Draft& draft, std::string_view head) {
  if (draft.rollout().analysis.checks.empty()) return cat(head, ": serving, nothing is measured");
  if (!draft.findings.verdict) {
    const auto& error = draft.observed.measurement_error;
    return cat(
        head, ": ",
        error ? "measurements cannot be read: " + error->message : std::string("waiting for the first measurements"));
  }
  return cat(head, ": ", numbers(draft), ", ", what_is_missing(draft));
}

std::string held_for_person(const Draft& draft, std::string_view head) {
  const api::CanaryStatus& canary = *draft.status.canary;
  if (draft.findings.wait == Wait::kFrozen) {
    return cat(head, ": failed, weights frozen: ", draft.findings.wait_message, "; promote, abort or resume");
  }
  return cat(head, ": passed", draft.findings.verdict ? cat(" (", numbers(draft), ")") : std::string(),
             ", waiting for a person to annotate ", api::kResumeAnnotation, "=", canary.step.value_or(0));
}

std::string canary_sentence(const Draft& draft) {
  const api::CanaryStatus& canary = *draft.status.canary;
  const Findings& findings = draft.findings;
  const std::string head = cat(version_name(canary.version), " at ", canary.weight, " %");
  const std::string stable = version_name(draft.status.stable->version);
  switch (findings.wait) {
    case Wait::kSpecPaused:
      return cat(head, ": paused by spec.paused");
    case Wait::kUnresolved:
      return cat(head, ": not going on, the version that the spec asks for is not known");
    case Wait::kNoReplicasWanted:
      return cat(head, ": waiting for spec.replicas to be more than 0");
    case Wait::kFrozen:
    case Wait::kStepPause:
      return held_for_person(draft, head);
    case Wait::kStableDown:
      return cat(head, ": should be taken back (", findings.wait_message, "), but ", stable,
                 " has no available replica; it keeps serving until one is back");
    case Wait::kForeignWorkload:
    case Wait::kNoSurge:
      return cat(head, ": ", findings.wait_message);
    case Wait::kCapacity:
      return cat(head, ": waiting for capacity: ", findings.wait_message);
    case Wait::kStableWeak:
      return cat(head, ": not going on while ", stable, " has only ", draft.status.stable->available, " of ",
                 replicas(draft.status.stable->replicas), " available");
    case Wait::kReplicas:
      return cat(head, ": starting, ", findings.wait_message);
    case Wait::kProxies:
      return cat(head, ": waiting for ", absl::StrJoin(findings.verification.behind, ", "), " to take the weight");
    case Wait::kHold:
      return cat(head, ": passed", findings.verdict ? cat(" (", numbers(draft), ")") : std::string(), ", held until ",
                 findings.wait_message);
    case Wait::kInconclusive:
      return cat(measuring(draft, head), "; no verdict within ", duration(draft.rollout().analysis.max_duration));
    case Wait::kMeasuring:
      return measuring(draft, head);
    case Wait::kNothing:
      break;
  }
  if (!findings.verification.complete) return cat(head, ": waiting for the gateways to take the weight");
  return canary.measure_from ? measuring(draft, head) : cat(head, ": starting what the next weight needs");
}

std::string first_sentence(const Draft& draft) {
  const std::string head = cat("first deployment of ", version_name(draft.status.canary->version));
  const Workload* workload = draft.workload(draft.status.canary->revision);
  if (workload != nullptr) {
    if (const auto failure = fatal_failure(*workload)) {
      return cat(head, " does not start: ", failure->reason, ": ", failure->message);
    }
  }
  const char* waits = draft.findings.wait == Wait::kCapacity ? ": waiting for capacity: " : ": ";
  return cat(head, waits, draft.findings.wait_message.empty() ? "starting" : draft.findings.wait_message,
             draft.findings.deadline_exceeded ? " (past the progress deadline)" : "");
}

std::string quarantine_sentence(const Draft& draft) {
  const api::QuarantinedRevision& entry = *draft.wanted_quarantine();
  return cat(version_name(draft.status.stable->version), " serves; ", version_name(entry.version),
             " was taken back: ", entry.message, "; it stays out until another version is promoted or ",
             api::kRetryAnnotation, "=", entry.revision);
}

std::string stable_sentence(const Draft& draft) {
  const api::RevisionStatus& stable = *draft.status.stable;
  const std::string name = version_name(stable.version);
  if (draft.desired() == 0) return cat(name, " is scaled to 0 and answers 503");
  if (stable.available == 0) {
    return cat(name, " has no available replica",
               draft.findings.served_by_fallback ? "; another revision serves meanwhile" : "");
  }
  std::string serving = cat(name, " serves with ", stable.available, " of ", replicas(draft.desired()));
  if (!draft.findings.verification.complete) serving += cat(", not all gateways have the weights");
  if (draft.wanted_quarantine() != nullptr) return quarantine_sentence(draft);
  if (draft.findings.wait == Wait::kSpecPaused) return cat(serving, "; a new version waits for spec.paused");
  if (draft.findings.wait == Wait::kNoReplicasWanted) return cat(serving, "; a new version waits for replicas");
  if (stable.available >= draft.desired() && draft.findings.verification.complete) {
    return cat(name, " serves all traffic with ", replicas(stable.available));
  }
  return serving;
}

}  // namespace

std::string summarize(const Draft& draft) {
  const auto& status = draft.status;
  const auto& error = draft.observed.resolve_error;
  std::string trouble =
      error && !draft.observed.wanted ? cat("; the spec's model: ", error->reason, ": ", error->message) : "";
  if (const auto& refused = draft.observed.create_error) {
    trouble += cat("; the Deployment ", refused->revision, " was refused: ", refused->message);
  }
  if (status.canary && status.stable) return cat(canary_sentence(draft), trouble);
  if (status.canary) return cat(first_sentence(draft), trouble);
  if (status.stable) return cat(stable_sentence(draft), trouble);
  if (error) return cat(error->reason, ": ", error->message);
  return draft.observed.spec.paused ? "paused before the first deployment" : "looking for the model in the store";
}

}  // namespace tidegate::rollout
