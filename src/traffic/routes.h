// The gateway's one RouteConfiguration: a virtual host for each ModelDeployment, and one for everything else, which
// serves the path prefixes and answers 404. Used by build.cc.
#pragma once

#include <string>
#include <vector>

#include "envoy/config/route/v3/route.pb.h"
#include "traffic/program.h"

namespace tidegate::traffic {

struct Target {
  const Program* program;
  std::vector<std::string> hosts;  // all names that it answers to, no two objects the same
  // Empty: route by its weights. Else every request is answered 503 with this sentence.
  std::string unavailable;
};

envoy::config::route::v3::RouteConfiguration make_routes(const std::vector<Target>& targets);

}  // namespace tidegate::traffic
