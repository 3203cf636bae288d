// Where requests go: a virtual host for each ModelDeployment, and the gateway's one RouteConfiguration, which has the
// one for everything else and takes the others from virtual host discovery. Used by build.cc.
#pragma once

#include <string>
#include <vector>

#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "traffic/program.h"

namespace tidegate::traffic {

// "tidegate/<namespace>.<name>": the resource's name and the virtual host's, which must be the same.
std::string virtual_host_name(const std::string& namespace_, const std::string& name);

// `hosts`: all names that it answers to, no two objects the same. `unavailable`: empty, or every request is answered
// 503 with this sentence.
envoy::config::route::v3::VirtualHost make_virtual_host(const Program& program, const std::vector<std::string>& hosts,
                                                        const std::string& unavailable);

// A request with an unknown host is answered 404, unless its path begins with /<namespace>/<name>/: that is taken off,
// and the request goes where <name>.<namespace> leads.
envoy::config::route::v3::RouteConfiguration make_routes();

}  // namespace tidegate::traffic
