#include "operator/webhooks/judge.h"

#include <algorithm>

#include "base/strings.h"
#include "operator/webhooks/model_deployment_rules.h"
#include "operator/webhooks/serving_runtime_rules.h"

namespace tidegate::operator_ {
namespace {

// V1. The parser's words begin with the path.
Finding unreadable(const absl::Status& error, bool before_was_unreadable) {
  const std::string_view message = base::view(error.message());
  const size_t colon = message.find(": ");
  const bool has_path = colon != std::string_view::npos;
  return {before_was_unreadable ? Severity::kWarn : Severity::kDeny, "V1",
          std::string(has_path ? message.substr(0, colon) : "spec"),
          std::string(has_path ? message.substr(colon + 2) : message)};
}

// Positions in lists may have moved, so the same words about the same rule are the same fault.
void forgive_old_faults(Findings& findings, const Findings& old) {
  for (Finding& finding : findings) {
    const bool known = std::any_of(old.begin(), old.end(), [&](const Finding& other) {
      return std::string_view(other.rule) == finding.rule && other.message == finding.message;
    });
    if (known) finding.severity = Severity::kWarn;
  }
}

using ReferencesOf = std::function<References(const api::ModelDeployment&)>;

Findings check(const Change<api::ModelDeployment>& change, const ReferencesOf& references) {
  const api::ModelDeployment& object = *change.object;
  const api::ModelDeployment* before = change.before ? &*change.before : nullptr;
  Findings findings = check_model_deployment(object, references(object));
  if (before != nullptr && denies(findings)) {
    forgive_old_faults(findings, check_model_deployment(*before, references(*before)));
  }
  for (Finding& command : check_commands(object, before)) findings.push_back(std::move(command));
  return findings;
}

Findings check(const Change<api::ServingRuntime>& change, const ReferencesOf&) {
  Findings findings = check_serving_runtime(*change.object);
  if (change.before) forgive_old_faults(findings, check_serving_runtime(*change.before));
  return findings;
}

}  // namespace

Findings judge(const Review& review, const ReferencesOf& references) {
  return std::visit(
      [&](const auto& change) {
        if (!change.object.ok()) return Findings{unreadable(change.object.status(), change.before_was_unreadable)};
        if (change.object->metadata.deletion_timestamp) return Findings{};
        return check(change, references);
      },
      review.change);
}

}  // namespace tidegate::operator_
