#pragma once
// An HTTP/1.1 server as its users see it: a handler that gets whole requests and answers each once, from any thread.
//
// Used by the serving runtime (predictions), the operator's webhooks (TLS) and its management endpoint. BeastHttpServer
// (beast_http_server.h) implements it for what strangers send.
//
// Flow of one request: bytes -> limits -> ServerRequest -> handler -> Responder -> bytes. A connection has one request
// in flight: the next one, even if pipelined, is read after the answer was written.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidegate::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Whether two header names are the same name (ASCII, case ignored).
bool same_header_name(std::string_view a, std::string_view b);

struct ServerRequest {
  std::string method;  // as sent: "GET"
  std::string target;  // as sent, still encoded: "/v1/models/m:predict?x=1"
  Headers headers;     // names as sent
  std::string body;
  std::string peer;  // "127.0.0.1:40000"

  // The first header of that name, whatever its case, or empty.
  std::string_view header(std::string_view name) const;
  // The target without its query, and without scheme and host where a proxy has sent them.
  std::string_view path() const;
};

struct ServerResponse {
  int status = 200;
  std::string content_type = "application/json";
  Headers headers;
  std::string body;
  // Ends the connection after this answer.
  bool close = false;
};

// Answers one request, once, from any thread. Destroyed without an answer, it sends 500: a lost request never hangs.
class Responder {
 public:
  explicit Responder(std::function<void(ServerResponse)> send) : send_(std::move(send)) {}
  Responder(Responder&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}
  Responder& operator=(Responder&& other) noexcept;
  ~Responder();
  void operator()(ServerResponse response);

 private:
  std::function<void(ServerResponse)> send_;
};

// Runs on one of the server's threads. It may answer before it returns or later; a handler that blocks occupies the
// thread it was called on.
using Handler = std::function<void(ServerRequest, Responder)>;

// PEM texts.
struct ServerTls {
  std::string certificate_chain_pem;
  std::string private_key_pem;
  // When set, clients must present a certificate signed by one of these.
  std::string client_ca_pem;
};

struct HttpServerOptions {
  std::string address = "0.0.0.0";
  uint16_t port = 0;                                 // 0: any free one, see HttpServer::port()
  uint64_t max_body_bytes = 64ull << 20;             // 413 beyond
  uint32_t max_header_bytes = 16 << 10;              // 431 beyond
  uint32_t max_connections = 16'384;                 // further ones wait in the kernel's queue, or evict others
  bool evict_when_full = false;                      // see below
  absl::Duration idle_timeout = absl::Seconds(300);  // between requests of one connection
  absl::Duration read_timeout = absl::Seconds(60);   // from the first byte of a request to its last
  absl::Duration write_timeout = absl::Seconds(60);  // an answer that the peer does not take
  // After drain(): peers that are in the middle of a request, or of an answer, have so long for the rest.
  absl::Duration drain_patience = absl::InfiniteDuration();
  // With evict_when_full each connection beyond the limit ends the one that has kept the server waiting longest, of
  // those that were never answered first, and none that is being answered.
};

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  // The port that is listened on, in host order.
  virtual uint16_t port() const = 0;
  // Any thread. New connections use the new certificate, those open keep theirs. INVALID_ARGUMENT when the PEM texts do
  // not parse or the key does not belong to the certificate: the old ones stay in use.
  virtual absl::Status replace_tls(const ServerTls& tls) = 0;
  // Any thread. From now on every answer carries `Connection: close`; connections are still accepted.
  virtual void announce_close() = 0;
  // Any thread. Accepts no more and closes idle connections; `drained` runs once, on a thread of the server, when the
  // last request in flight was answered.
  virtual void drain(std::function<void()> drained) = 0;
};

}  // namespace tidegate::net
