// What the connected proxies have been sent and have applied: filled by the server, read by the operator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "traffic/applied_version.h"
#include "traffic/snapshot.h"

namespace tidegate::xds {

// What a proxy did not take. It goes on with what it had.
struct Rejection {
  traffic::ResourceType type;
  std::string object;   // "<namespace>/<name>" of the ModelDeployment; empty: what belongs to none
  std::string message;  // Envoy's words

  friend bool operator==(const Rejection&, const Rejection&) = default;
};

// One connected proxy. The node id is the gateway pod's name.
struct NodeStatus {
  std::string node_id;
  std::string peer;                   // its address
  bool waiting = false;               // it knows more than our snapshot, and is not answered until we have caught up
  bool newcomer = false;              // it knows nothing, and is not answered before confirm_newcomers()
  traffic::AppliedVersion applied;    // what it last confirmed
  std::vector<Rejection> rejections;  // of what it was last sent, by type and object
};

struct ServerStatus {
  bool listening = true;
  std::vector<NodeStatus> nodes;  // by node id; a proxy that reconnects may be there twice for a moment
  uint64_t responses = 0;         // sent since start, all types
  uint64_t rejections = 0;        // received since start
  uint64_t refused_clients = 0;   // streams refused because of the client's identity, since start
};

}  // namespace tidegate::xds
