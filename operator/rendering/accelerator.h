#pragma once
// What spec.accelerator means to the scheduler. Pure; called by the workload renderer and by messages about capacity.
#include <map>
#include <string>

#include "api/types.h"

namespace tidegate::operator_ {

// What a pod asks for. Without an accelerator all of it is empty and `count` 0.
struct AcceleratorRequest {
  std::string resource;                              // "nvidia.com/gpu"
  int count = 0;                                     // of it, a pod
  std::map<std::string, std::string> node_selector;  // labels that a node must carry

  friend bool operator==(const AcceleratorRequest&, const AcceleratorRequest&) = default;
};

AcceleratorRequest accelerator_request(const api::AcceleratorSpec& spec);

}  // namespace tidegate::operator_
