#pragma once
// The validating webhook's HTTP side. Every replica has one: judging needs the stores, not the lease.
//
//   HTTP server's thread: limits ─► parse_review ─► loop: judge ─► HTTP server's thread: answer
//
// Whatever is not a review gets an HTTP error and costs no more than its bytes: the body has at most kMaxBodyBytes, one
// text is parsed at a time (the server has one thread), kMaxConnections bodies are in memory at most, kMaxInFlight wait
// for the loop. Whoever holds all connections loses the ones that keep the server waiting longest, so the API server is
// answered all the same. An HTTP error counts for the API server as a webhook that cannot be reached, so failurePolicy
// decides.
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/loop.h"
#include "net/certificate.h"
#include "net/http_server.h"
#include "operator/webhooks/admission.h"
#include "operator/webhooks/webhook_metrics.h"

namespace tidegate::operator_ {

inline constexpr char kWebhookPath[] = "/validate";
// An object has at most 1.5 MiB (etcd's limit) and comes twice on update.
inline constexpr uint64_t kMaxBodyBytes = 3ull << 20;
inline constexpr uint32_t kMaxConnections = 64;
inline constexpr int kMaxInFlight = 32;

// Opens an HTTPS server; its threads run the handler. main.cc makes real ones.
using ServerFactory = std::function<absl::StatusOr<std::unique_ptr<net::HttpServer>>(
    const net::HttpServerOptions& options, const net::ServerTls& tls, net::Handler handler)>;

class WebhookServer {
 public:
  using Judge = std::function<Findings(const Review&)>;

  // `judge` runs on the loop's thread, never after the WebhookServer is gone. `loop` and `clock` must outlive the
  // server's threads. Errors: of `listen`.
  static absl::StatusOr<std::unique_ptr<WebhookServer>> start(const ServerFactory& listen, std::string address,
                                                              uint16_t port, const net::TlsIdentity& identity,
                                                              base::Loop& loop, base::Clock& clock, Judge judge);
  // Requests that wait for the loop are answered 503.
  ~WebhookServer();

  // New connections see the new certificate; nothing is interrupted. On an error the old one stays.
  absl::Status rotate(const net::TlsIdentity& identity);

  uint16_t port() const { return server_->port(); }
  const WebhookMetrics& metrics() const;

 private:
  struct Shared;
  WebhookServer(std::shared_ptr<Shared> shared, std::unique_ptr<net::HttpServer> server)
      : shared_(std::move(shared)), server_(std::move(server)) {}

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace tidegate::operator_
