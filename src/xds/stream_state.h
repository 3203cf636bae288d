// What one ADS stream has asked for, been sent and answered, and what is to be sent next. Pure state and decision; the
// reactor in server.cc feeds it and acts. Follows the state-of-the-world variant of the xDS protocol.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "traffic/snapshot.h"
#include "xds/status.h"

namespace tidegate::xds {

// The parts of a DiscoveryRequest that matter.
struct Request {
  traffic::ResourceType type;
  std::string version;  // applied so far
  std::string nonce;    // of the response that this answers; empty: of none
  std::set<std::string> names;
  std::optional<std::string> error;  // set: the response was rejected
};

class StreamState {
 public:
  void on_request(Request request);

  // True while the proxy knows more than the snapshot: nothing may be sent.
  bool waits_for(const traffic::Snapshot& snapshot) const;

  // The types to send now, in this order. Listeners and routes wait until clusters and endpoints have been answered:
  // routes must not send requests to a cluster that the proxy does not have yet. Clusters and endpoints never wait for
  // each other: a proxy acknowledges a changed cluster only after it has its endpoints.
  std::vector<traffic::ResourceType> due(const traffic::Snapshot& snapshot) const;

  // Notes that the type's resources of `version` are on their way, and gives the response its nonce.
  std::string sent(traffic::ResourceType type, const std::string& version);

  // What was asked for by name. Empty means everything, for clusters and listeners.
  const std::set<std::string>& names(traffic::ResourceType type) const { return subscription(type).names; }
  std::array<TypeStatus, 4> status() const;

 private:
  struct Subscription {
    bool active = false;
    bool needs_answer = false;  // a first request, or other names
    bool answered = false;      // accepted or rejected what was last sent
    std::set<std::string> names;
    std::string nonce;
    TypeStatus status;
  };

  Subscription& subscription(traffic::ResourceType type) { return subscriptions_[static_cast<size_t>(type)]; }
  const Subscription& subscription(traffic::ResourceType type) const {
    return subscriptions_[static_cast<size_t>(type)];
  }
  void begin(Subscription& subscription, Request request);
  void take_answer(Subscription& subscription, const Request& request);
  bool is_due(traffic::ResourceType type, const traffic::Snapshot& snapshot) const;
  bool clusters_settled(const traffic::Snapshot& snapshot) const;
  bool endpoints_settled(const traffic::Snapshot& snapshot) const;

  std::array<Subscription, 4> subscriptions_;
  uint64_t highest_presented_ = 0;  // resourceVersion
  uint64_t last_nonce_ = 0;
};

}  // namespace tidegate::xds
