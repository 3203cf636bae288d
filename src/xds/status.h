// What the connected proxies have been sent and have applied: filled by the server, read by the operator.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "traffic/snapshot.h"

namespace tidegate::xds {

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
  bool listening = true;
  std::vector<NodeStatus> nodes;  // by node id; a proxy that reconnects may be there twice for a moment
  uint64_t responses = 0;         // sent since start, all types
  uint64_t rejections = 0;        // received since start
  uint64_t refused_clients = 0;   // streams refused because of the client's identity, since start
};

}  // namespace tidegate::xds
