#pragma once
// Which runtime serves an object: the one it names (of its namespace first, then of the cluster), or else the best one
// that supports the model's format. Pure over the stores.
#include <memory>
#include <string>
#include <variant>

#include "api/runtime_types.h"
#include "kube/store.h"
#include "rollout/observed.h"

namespace tidegate::operator_ {

using RuntimePointer = std::shared_ptr<const api::ServingRuntime>;

// The runtime, or why there is none: RuntimeNotFound, FormatNotSupported.
std::variant<RuntimePointer, rollout::ResolveError> choose_runtime(
    const std::string& ns, const std::string& name, api::ModelFormat format,
    const kube::Store<api::ServingRuntime>& runtimes, const kube::Store<api::ServingRuntime>& cluster_runtimes);

}  // namespace tidegate::operator_
