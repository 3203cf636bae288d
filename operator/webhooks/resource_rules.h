#pragma once
// Rules about CPU, memory and devices of a container, which ModelDeployments and runtimes have in common. Pure.
#include <string>

#include "api/types.h"
#include "operator/webhooks/finding.h"

namespace tidegate::operator_ {

// V7, V8, V9, W13 of `resources`, which are at `path`.
void check_resources(const api::Resources& resources, const std::string& path, Findings& findings);

// W15: what `resources` say together with the runtime's, which they replace name by name.
void check_merged_resources(const api::Resources& resources, const api::Resources& runtimes, const std::string& path,
                            const std::string& runtime, Findings& findings);

}  // namespace tidegate::operator_
