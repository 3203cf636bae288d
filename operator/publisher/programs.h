#pragma once
// What the gateways are to do for each ModelDeployment, from the stores alone: status.traffic says the shares, the pods
// say the endpoints. Pure; every replica comes to the same, so a proxy may reconnect anywhere.
#include <memory>

#include "operator/stores.h"
#include "traffic/program.h"

namespace tidegate::operator_ {

// Also of an object that is being deleted: its last shares hold until it is gone. Null: there is none. A revision is in
// it as long as status names it, with or without a share: its cluster goes only after it has drained.
std::shared_ptr<const traffic::Program> make_program(const Stores& stores, const base::ObjectKey& key);

}  // namespace tidegate::operator_
