// What one ADS stream has asked for, been sent and answered, and what is to be sent next. Pure state and decision; the
// reactor in stream.cc feeds it and acts. Follows the incremental variant of the xDS protocol.
//
// The proxy is taken from snapshot to snapshot, one at a time, make before break:
//
//   clusters and endpoints, new and changed ─► listener, routes, virtual hosts ─► clusters that are no more ─► version
//
// Each stage begins when the one before has been answered, and ends up in what the proxy has: what it lacks or has in
// another version is sent, and nothing else. While a proxy works, snapshots may come and go; the next one that it is
// taken to is the newest then. The version, at last, says what has been applied (traffic/applied_version.h).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "traffic/snapshot.h"
#include "xds/delivery.h"
#include "xds/status.h"

namespace tidegate::xds {

// The parts of a DeltaDiscoveryRequest that matter.
struct Request {
  traffic::ResourceType type;
  std::string nonce;                           // of the response that this answers; empty: of none
  std::optional<std::string> error;            // set: that response was rejected
  std::vector<std::string> subscribe;          // names; of clusters and listeners all are sent, whatever is named
  std::vector<std::string> unsubscribe;        // names
  std::map<std::string, std::string> present;  // in the first of a type: the versions that the proxy has, by name
};

// A DeltaDiscoveryResponse. The pointers are good until the next call of the StreamState.
struct Response {
  traffic::ResourceType type;
  std::string nonce;
  std::string version;  // of the whole
  std::vector<const traffic::Resource*> changed;
  std::vector<std::string> removed;
};

class StreamState {
 public:
  // `holds_newcomers`: a proxy that comes without a version is not answered before confirm().
  explicit StreamState(bool holds_newcomers = false) : holds_newcomers_(holds_newcomers), newcomer_(holds_newcomers) {}
  // Batches that are on their way point into it.
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  void on_request(Request request);

  // It knows nothing, as far as it has said, and is not confirmed yet.
  bool is_newcomer() const { return newcomer_; }
  // It may have any snapshot that is caught up to this resourceVersion.
  void confirm(uint64_t resource_version);

  // True while the proxy knows more than the snapshot, or has yet to say what it knows, or to be confirmed: nothing may
  // be sent.
  bool waits_for(const traffic::Snapshot& snapshot) const;

  // What to send now, in this order; it counts as sent. `snapshot` is the newest there is.
  std::vector<Response> due(const std::shared_ptr<const traffic::Snapshot>& snapshot);

  // What the proxy last confirmed.
  const traffic::AppliedVersion& applied() const { return applied_; }
  std::vector<Rejection> rejections() const;

 private:
  enum class Stage { kIdle, kClusters, kRoutes, kRemovals, kVersion };

  struct Subscription {
    explicit Subscription(traffic::ResourceType type) : delivery(type) {}
    bool active = false;
    std::shared_ptr<const traffic::Snapshot> has;  // what the proxy has of this type, or has refused; null: unknown
    Delivery delivery;
  };

  // In which groups the target differs from a snapshot. The proxy mostly has the same one of all types, so one walk
  // serves them all.
  struct Comparison {
    std::shared_ptr<const traffic::Snapshot> before;  // null: there is none
    std::vector<traffic::GroupChange> changes;
  };

  Subscription& of(traffic::ResourceType type) { return subscriptions_[static_cast<size_t>(type)]; }
  const Subscription& of(traffic::ResourceType type) const { return subscriptions_[static_cast<size_t>(type)]; }
  void begin(Subscription& subscription, const Request& request);
  void subscribe_endpoints(const Request& request);
  void take_answer(Subscription& subscription, const Request& request);

  void set_target(const std::shared_ptr<const traffic::Snapshot>& snapshot);
  bool all_settled() const;
  bool lacks_something() const;
  bool stage_is_done() const;
  void enter_next_stage();
  void enter_clusters();
  void enter_routes();
  void enter_version();
  const std::vector<traffic::GroupChange>& changes_since(const std::shared_ptr<const traffic::Snapshot>& before);
  // What the proxy lacks of the target; from here on it counts as had.
  Batch difference(traffic::ResourceType type);
  void queue_difference(traffic::ResourceType type);
  void queue_owed_endpoints();
  void offer_again(traffic::ResourceType type);
  void offer_all_again(traffic::ResourceType type);
  const traffic::Resource* find(traffic::ResourceType type, const std::string& name) const;
  void collect(std::vector<Response>& responses);

  std::array<Subscription, traffic::kResourceTypes.size()> subscriptions_ = {
      Subscription(traffic::ResourceType::kCluster), Subscription(traffic::ResourceType::kEndpoints),
      Subscription(traffic::ResourceType::kListener), Subscription(traffic::ResourceType::kRoutes),
      Subscription(traffic::ResourceType::kVirtualHost)};

  Stage stage_ = Stage::kIdle;
  std::shared_ptr<const traffic::Snapshot> target_;  // that the proxy is being taken to, or was last
  Comparison comparison_;                            // the latest with the target
  std::set<std::string> endpoints_wanted_;           // clusters whose endpoints the proxy has asked for
  std::set<std::string> endpoints_owed_;  // of them or of changed clusters: to be sent whether they changed or not
  std::set<std::string> awaited_;         // new clusters whose endpoints the proxy has yet to ask for
  std::vector<std::string> removed_clusters_;

  traffic::Resource version_;  // of kVersionCluster's endpoints, as last sent or presented
  traffic::AppliedVersion applied_;
  const bool holds_newcomers_;
  bool newcomer_;
  bool presents_version_ = false;   // it knew the version cluster when it connected: what it has applied follows
  bool presents_hosts_ = false;     // it had applied something when it connected: its virtual hosts follow
  uint64_t highest_presented_ = 0;  // resourceVersion, or what was confirmed
  uint64_t last_nonce_ = 0;
};

}  // namespace tidegate::xds
