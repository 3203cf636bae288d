#pragma once
// What is wrong or risky about a ServingRuntime or ClusterServingRuntime beyond what the CRD's schema says. Pure.
#include "api/runtime_types.h"
#include "operator/webhooks/finding.h"

namespace tidegate::operator_ {

Findings check_serving_runtime(const api::ServingRuntime& runtime);

}  // namespace tidegate::operator_
