#pragma once
// What the gateways are to do for each ModelDeployment, from the stores alone: status.traffic says the shares, the pods
// say the endpoints. Pure; every replica comes to the same, so a proxy may reconnect anywhere.
#include <vector>

#include "operator/stores.h"
#include "traffic/program.h"

namespace tidegate::operator_ {

// One for each object, also one that is being deleted: its last shares hold until it is gone. A revision is in it as
// long as status names it, with or without a share: its cluster goes only after it has drained.
std::vector<traffic::Program> programs(const Stores& stores);

}  // namespace tidegate::operator_
