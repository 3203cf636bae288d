#pragma once
// From what changed to what is said about it. Pure but for `references`, which reads the stores: call it on the loop.
//
// Nothing that was there before is denied: what a stored object already did wrong becomes a warning, so that a rule
// that came with an upgrade never stands in the way of a rollback. An object that is being deleted is not judged at
// all.
#include <functional>

#include "operator/webhooks/admission.h"
#include "operator/webhooks/references.h"

namespace tidegate::operator_ {

Findings judge(const Review& review, const std::function<References(const api::ModelDeployment&)>& references);

}  // namespace tidegate::operator_
