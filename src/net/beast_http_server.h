#pragma once
// HttpServer on Boost.Beast: keep-alive, pipelining, limits on headers and bodies, timeouts, TLS with certificates that
// can be replaced while it runs. For everything that strangers send to.
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <vector>

#include "net/http_server.h"

namespace boost::asio {
class io_context;
}

namespace tidegate::net {

// Listens and begins to accept; connections go to the contexts in turn, each of which may be run by several threads and
// must outlive the server. Plain HTTP without `tls`. UNAVAILABLE when the address cannot be bound (the message names
// it), INVALID_ARGUMENT for unusable TLS.
absl::StatusOr<std::unique_ptr<HttpServer>> make_beast_http_server(std::vector<boost::asio::io_context*> contexts,
                                                                   const HttpServerOptions& options,
                                                                   const std::optional<ServerTls>& tls,
                                                                   Handler handler);
// All on one.
absl::StatusOr<std::unique_ptr<HttpServer>> make_beast_http_server(boost::asio::io_context& context,
                                                                   const HttpServerOptions& options,
                                                                   const std::optional<ServerTls>& tls,
                                                                   Handler handler);

}  // namespace tidegate::net
