#pragma once
// What is wrong or risky about a ModelDeployment beyond what the CRD's schema says. Pure; docs/validation.md lists the
// rules, tests/operator/webhook_rules_test.cc has a case for each.
#include "api/types.h"
#include "operator/webhooks/finding.h"
#include "operator/webhooks/references.h"

namespace tidegate::operator_ {

Findings check_model_deployment(const api::ModelDeployment& object, const References& references);

// W17: commands by annotation that `after` has and `before` (null: a new object) had not, and that nothing will do.
Findings check_commands(const api::ModelDeployment& after, const api::ModelDeployment* before);

}  // namespace tidegate::operator_
