// Where requests go: a virtual host for each ModelDeployment, one for everything else, and the gateway's one
// RouteConfiguration, which takes them all from virtual host discovery. Used by build.cc.
#pragma once

#include <string>
#include <vector>

#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "traffic/program.h"

namespace tidegate::traffic {

// Of the virtual host for everything else.
inline constexpr char kUnknownHostName[] = "tidegate/*";

// "tidegate/<namespace>.<name>": the resource's name and the virtual host's, which must be the same.
std::string virtual_host_name(const std::string& namespace_, const std::string& name);

// `hosts`: all names that it answers to, no two objects the same. `unavailable`: empty, or every request is answered
// 503 with this sentence.
envoy::config::route::v3::VirtualHost make_virtual_host(const Program& program, const std::vector<std::string>& hosts,
                                                        const std::string& unavailable);

// A request with an unknown host is answered 404, unless its path begins with /<namespace>/<name>/: that is taken off,
// and the request goes where <name>.<namespace> leads. Without any virtual host a proxy would wait for one for ever,
// and never be ready: this one is always there.
envoy::config::route::v3::VirtualHost make_unknown_host();

envoy::config::route::v3::RouteConfiguration make_routes();

}  // namespace tidegate::traffic
