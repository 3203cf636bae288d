#pragma once
// What the rules need to know of other objects: an immutable value, taken from the stores on the loop's thread for one
// ModelDeployment. Also on a standby: every replica keeps the stores.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/runtime_types.h"
#include "api/types.h"
#include "operator/stores.h"

namespace tidegate::operator_ {

struct References {
  std::string cluster_domain;
  // Of the hosts that the object asks for: "<namespace>/<name>" of another object that asks for it too.
  std::map<std::string, std::string> host_claimed_by;
  // Of the hosts that the object asks for: the object (also this one) whose own name <name>.<namespace> it is.
  std::map<std::string, std::string> host_is_name_of;
  // Another object that asks for <name>.<namespace> of this one as a host; empty: none.
  std::string name_claimed_by;
  // The runtime that the object names, or those of which it would get one: which, is decided by the model's format, and
  // that is known only once the store has been looked at. None, and why, if there is none.
  std::vector<std::shared_ptr<const api::ServingRuntime>> runtimes;
  std::string no_runtime_because;
};

References references_of(const api::ModelDeployment& object, const Stores& stores, const std::string& cluster_domain);

}  // namespace tidegate::operator_
