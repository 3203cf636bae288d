// The control plane's side of Envoy's aggregated discovery service (ADS, state of the world): proxies connect over
// mutual TLS, and everyone gets the latest published snapshot.
//
// Called by the operator: start() at startup, publish() after each build (debouncing is the caller's), status() to
// see what the proxies have applied. Everything here is thread-safe; streams live on gRPC's own threads and read one
// immutable snapshot, so nothing here waits for the control logic or the other way round.
//
// What it promises:
// - Nothing is answered before the first snapshot is published: a proxy keeps what it has until we know better.
// - A stream that presents routes of a higher resourceVersion than the snapshot is caught up to is not answered until
//   the snapshot has caught up: a replica that lags never takes a proxy back.
// - Changed clusters and endpoints leave back to back, listeners and routes after them; a type that did not change is
//   not sent.
// - What a proxy rejected is kept, in its own words, until it accepts a newer version.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/certificate.h"
#include "traffic/snapshot.h"

namespace tidegate::xds {

struct ServerOptions {
  std::string address = "0.0.0.0";
  int port = 18000;  // 0: any free one, see Server::port()
  // Only a client certificate with this URI name may subscribe.
  std::string client_identity = "spiffe://tidegate/gateway";
  // A proxy that does not answer an HTTP/2 ping for so long is disconnected; pings are sent as often.
  absl::Duration keepalive = absl::Seconds(30);
  // Called on one of gRPC's threads after any change of status(): post to a loop, do not work here. May be empty.
  std::function<void()> on_change;
};

// A version that a proxy did not take. It goes on with the one that it had.
struct Rejection {
  std::string version;
  std::string message;  // Envoy's words

  friend bool operator==(const Rejection&, const Rejection&) = default;
};

struct TypeStatus {
  std::string sent;                    // version last sent on this stream; empty: nothing yet
  std::string applied;                 // version last acknowledged (or presented on reconnection); empty: nothing yet
  std::optional<Rejection> rejection;  // the answer to the version last sent, if it was a rejection

  friend bool operator==(const TypeStatus&, const TypeStatus&) = default;
};

// One connected proxy. The node id is the gateway pod's name.
struct NodeStatus {
  std::string node_id;
  std::string peer;                 // its address
  bool waiting = false;             // it knows more than our snapshot, and is not answered until we have caught up
  std::array<TypeStatus, 4> types;  // indexed by traffic::ResourceType

  const TypeStatus& type(traffic::ResourceType type) const { return types[static_cast<size_t>(type)]; }
  // The resourceVersion of the routes that it has applied; 0: none.
  uint64_t applied_resource_version() const;
};

struct ServerStatus {
  std::vector<NodeStatus> nodes;  // by node id; a proxy that reconnects may be there twice for a moment
  uint64_t responses = 0;         // sent since start, all types
  uint64_t rejections = 0;        // received since start
  uint64_t refused_clients = 0;   // streams refused because of the client's identity, since start
};

class Server {
 public:
  // Listens. UNAVAILABLE when the port cannot be bound, INVALID_ARGUMENT when the certificate or key does not parse.
  static absl::StatusOr<std::unique_ptr<Server>> start(ServerOptions options, const net::TlsIdentity& identity);
  virtual ~Server() = default;

  virtual int port() const = 0;
  // From now on everyone gets this one. Never null.
  virtual void publish(std::shared_ptr<const traffic::Snapshot> snapshot) = 0;
  // Forgets the snapshot and ends every stream: proxies keep what they have and reconnect, to another replica if this
  // one is out of its Service. For a replica whose store may be stale. publish() ends it.
  virtual void withdraw() = 0;
  // New connections see this certificate; streams that are open stay open. INVALID_ARGUMENT as for start().
  virtual absl::Status rotate(const net::TlsIdentity& identity) = 0;
  virtual ServerStatus status() const = 0;
  // Ends the streams and stops listening; returns when all is quiet. The destructor does it, too.
  virtual void shutdown() = 0;
};

}  // namespace tidegate::xds
