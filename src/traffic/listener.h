// The gateway's one listener: HTTP/1.1 and HTTP/2 without TLS on the same port, routes by RDS, the access log, and the
// statistics that the operator judges revisions by. Constant but for the port. Used by build.cc.
#pragma once

#include <string>

#include "envoy/config/listener/v3/listener.pb.h"
#include "traffic/build.h"

namespace tidegate::traffic {

inline constexpr char kListenerName[] = "tidegate";
inline constexpr char kRoutesName[] = "tidegate";
// Does nothing but where a virtual host gives it something to do.
inline constexpr char kLuaFilter[] = "envoy.filters.http.lua";

envoy::config::listener::v3::Listener make_listener(const Settings& settings);

}  // namespace tidegate::traffic
