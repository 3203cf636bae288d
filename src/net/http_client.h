#pragma once
// An asynchronous HTTP client for the control logic: the Kubernetes API, object stores, gateway statistics.
//
// Called on the loop's thread; answers arrive on the loop's thread. Implemented by CurlHttpClient (libcurl multi) and
// by fakes in tests. One client has one connection pool: the operator makes one for the Kubernetes API (on the loop)
// and one for hosts that users name (on an I/O thread that posts its results), so that a hanging name look-up there
// never costs the lease.
//
// Flow of one request: request() -> transport -> [on_chunk]* -> HttpResponse | error.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/scope.h"
#include "base/task.h"

namespace tidegate::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Who to trust and who to be. PEM texts; empty means: the system's trust store / no client certificate.
struct TlsOptions {
  std::string ca_pem;
  std::string certificate_pem;
  std::string private_key_pem;
  // The name that the server's certificate must carry when it is not the URL's host (a pod reached by its address).
  std::string server_name;
  // A URI SAN (SPIFFE id) that the server's certificate must carry; replaces the check of the host name.
  std::string server_uri_san;
  bool insecure_skip_verify = false;

  friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

struct HttpResponse {
  int status = 0;
  Headers headers;  // names in lower case
  std::string body;
  std::vector<std::string> pieces = {};  // see HttpRequest::body_in_pieces

  // The first header of that (lower-case) name, or empty.
  std::string_view header(std::string_view name) const;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // absolute, already encoded; sent as it is (no normalisation of the path)
  Headers headers;
  std::string body;
  // Whole exchange; infinite for a watch.
  absl::Duration timeout = absl::Seconds(30);
  absl::Duration connect_timeout = absl::Seconds(5);
  // Ends the request with UNAVAILABLE when no byte arrives for this long; infinite: never.
  absl::Duration stall_timeout = absl::InfiniteDuration();
  std::shared_ptr<const TlsOptions> tls;
  // The body that is kept in HttpResponse::body (after decompression) may not be larger; RESOURCE_EXHAUSTED beyond.
  // Bytes given to on_chunk do not count: their receiver sets its own limit.
  uint64_t max_body_bytes = 512ull << 20;
  // A large body of a 2xx answer is kept in HttpResponse::pieces, in order, and `body` stays empty: a string of a
  // hundred megabytes that grows is copied for tens of milliseconds at a time. Whoever answers out of memory may ignore
  // it.
  bool body_in_pieces = false;
  // For long silences on a shared connection (a watch over HTTP/2): when nothing has arrived on this request's
  // connection for `after`, `url` is asked on it, with the same headers. When that brings no byte within `timeout`
  // either, the peer is dead or cut off: the connection is closed, and every request on it ends with UNAVAILABLE.
  struct Probe {
    std::string url;
    absl::Duration after;
    absl::Duration timeout;
  };
  std::optional<Probe> probe;
  // When set, body bytes of a 2xx answer go here as they arrive, and HttpResponse::body stays empty (other answers
  // keep their body). Returning false ends the request with CANCELLED.
  std::function<bool(std::string_view)> on_chunk;
  // When set, sees status and headers before the first on_chunk (and not at all when no chunk comes). Returning false
  // ends the request with CANCELLED before on_chunk is called.
  std::function<bool(const HttpResponse&)> on_head;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Any HTTP status is an answer, not an error. Errors: UNAVAILABLE (resolve, connect, TLS, reset, stall),
  // DEADLINE_EXCEEDED (timeout), CANCELLED (the scope ended), RESOURCE_EXHAUSTED (body), INVALID_ARGUMENT (URL);
  // the message names the host and says what failed. `scope` must outlive the call.
  virtual base::Task<absl::StatusOr<HttpResponse>> request(HttpRequest request, base::Scope& scope) = 0;
};

}  // namespace tidegate::net
