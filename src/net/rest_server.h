#pragma once
// The internal, read-only management endpoint: health, metrics, debugging pages. GET and HEAD only, at a low rate, from
// inside the cluster; what strangers send goes to BeastHttpServer, which has limits.
//
// Made by the operator's main.cc. Implemented with cpprestsdk, which is named nowhere else.
//
// Flow of one request: cpprestsdk's thread -> route -> the loop's thread: handler -> answer. A handler therefore reads
// the loop's state without locks, and an answer also shows that the loop is alive.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/loop.h"
#include "net/http_server.h"

namespace tidegate::net {

// Runs on the loop's thread. Of the response, `headers` and `close` are not sent.
using RestHandler = std::function<ServerResponse(const ServerRequest&)>;
// By path; one that ends with "/" also serves all paths below it. The longest that fits is taken.
using RestRoutes = std::map<std::string, RestHandler>;

struct RestServerOptions {
  std::string address = "0.0.0.0";  // an IPv4 address or a host's name
  uint16_t port = 0;                // 0: some free one, see port()
  // 503 when the loop has not answered by then.
  absl::Duration deadline = absl::Seconds(5);
  // Requests that wait for the loop at once; 503 beyond, so that a busy loop is not buried.
  int max_pending = 4;
};

class RestServer {
 public:
  // Stops listening; requests that still wait for the loop are answered 503. Any thread but a handler.
  virtual ~RestServer() = default;
  virtual uint16_t port() const = 0;
};

// Listens from here on. 404 for paths without a route, 405 for other methods. `loop` must outlive the server.
// UNAVAILABLE when the address cannot be listened on.
absl::StatusOr<std::unique_ptr<RestServer>> make_rest_server(base::Loop& loop, RestServerOptions options,
                                                             RestRoutes routes);

}  // namespace tidegate::net
