#pragma once
// How requests are sent through libcurl.
#include <string>

namespace tidegate::net {

struct CurlOptions {
  // Over TLS. Without it, parallel requests to a host use parallel connections: faster for large downloads.
  bool http2 = true;
  // Idle connections that are kept for later requests.
  int max_idle_connections = 64;
  // Obey http_proxy, https_proxy and no_proxy of the environment.
  bool use_environment_proxy = false;
  // Sent as User-Agent unless a request brings its own; empty: "tidegate/<version>".
  std::string user_agent;
};

}  // namespace tidegate::net
