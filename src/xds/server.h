// The control plane's side of Envoy's aggregated discovery service (ADS, incremental): proxies connect over mutual TLS,
// and each is taken to the latest published snapshot by what it lacks of it.
//
// Called by the operator: start() at startup, publish() after each build (debouncing is the caller's), status() to
// see what the proxies have applied. Everything here is thread-safe; streams live on gRPC's own threads and read one
// immutable snapshot, so nothing here waits for the control logic or the other way round.
//
// What it promises:
// - Nothing is answered before the first snapshot is published: a proxy keeps what it has until we know better.
// - A stream that presents a higher resourceVersion than the snapshot is caught up to is not answered until
//   the snapshot has caught up: a replica that lags never takes a proxy back.
// - Make before break: routes follow the clusters and endpoints that they lead to, and a cluster goes after the routes
//   that led to it.
// - What did not change is not sent; what a change costs goes with its size, not with the number of objects.
// - What a proxy rejects keeps nothing else back. It is kept, in the proxy's own words, until the proxy accepts it.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "net/certificate.h"
#include "traffic/snapshot.h"
#include "xds/status.h"

namespace tidegate::xds {

struct ServerOptions {
  std::string address = "0.0.0.0";
  int port = 18000;  // 0: any free one, see Server::port()
  // Only a client certificate with this URI name may subscribe.
  std::string client_identity = "spiffe://tidegate/gateway";
  // A proxy that does not answer an HTTP/2 ping for so long is disconnected; pings are sent as often.
  absl::Duration keepalive = absl::Seconds(30);
  // A proxy that comes without a version (it has just started) believes whatever it is told, so it is told nothing
  // before confirm_newcomers().
  bool hold_newcomers = false;
  // Called on one of gRPC's threads after any change of status(): post to a loop, do not work here. May be empty.
  std::function<void()> on_change;
};

class Server {
 public:
  // Listens. UNAVAILABLE when the port cannot be bound, INVALID_ARGUMENT when the certificate or key does not parse.
  static absl::StatusOr<std::unique_ptr<Server>> start(ServerOptions options, const net::TlsIdentity& identity);
  virtual ~Server() = default;

  virtual int port() const = 0;
  // From now on everyone gets this one. Never null. Listens again after withdraw(); if the port is taken by then, the
  // next call tries again, and status() says so.
  virtual void publish(std::shared_ptr<const traffic::Snapshot> snapshot) = 0;
  // Those that wait for it now may have any snapshot that is caught up to this resourceVersion; 0: any.
  virtual void confirm_newcomers(uint64_t resource_version) = 0;
  // Forgets the snapshot, ends every connection and stops listening: proxies keep what they have and go to another
  // replica. For a replica whose store may be stale. publish() ends it.
  virtual void withdraw() = 0;
  // New connections see this certificate; streams that are open stay open. INVALID_ARGUMENT as for start().
  virtual absl::Status rotate(const net::TlsIdentity& identity) = 0;
  virtual ServerStatus status() const = 0;
  // Ends the streams and stops listening; returns when all is quiet. The destructor does it, too.
  virtual void shutdown() = 0;
};

}  // namespace tidegate::xds
