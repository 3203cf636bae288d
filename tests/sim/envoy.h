#pragma once
// One gateway pod's Envoy: an ADS client that takes what it is sent (late, or not at all), keeps the last good
// configuration, and sends users' requests by exactly that. What it has applied is decoded from the resources on the
// wire, so it is the truth that the invariants hold the operator against.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/context.h"
#include "sim/xds_link.h"

namespace tidegate::sim {

// Counted by one Envoy process for one cluster since its start.
struct ClusterCounts {
  uint64_t requests = 0;
  uint64_t server_errors = 0;
  uint64_t resets = 0;
  std::map<int64_t, uint64_t> by_milliseconds;
};

// How the requests of one object are shared out.
struct AppliedRoute {
  std::vector<std::pair<std::string, uint32_t>> clusters;  // REST; name and share of 10,000
  uint64_t resource_version = 0;                           // of the object, as its sender says

  friend bool operator==(const AppliedRoute&, const AppliedRoute&) = default;
};

class Envoy {
 public:
  struct Callbacks {
    // A replica to connect to; null: none answers.
    std::function<SimXdsServer*()> find_server;
    // It is about to send requests otherwise than until now.
    std::function<void()> before_change;
    // What it applies has changed, or it is no more.
    std::function<void()> on_applied;
  };
  Envoy(Context& context, std::string pod, std::string ip, Callbacks callbacks);

  const std::string& pod() const { return pod_; }
  const std::string& ip() const { return ip_; }
  // Another process each time; a process that does not run sends nothing.
  void start();
  void stop();
  bool running() const { return running_; }
  int life() const { return life_; }

  // Whether the process may be reached, by replicas and by scrapes.
  bool reachable() const { return reachable_; }
  void set_reachable(bool reachable);
  // How long it has been out of reach, over restarts; for a minute after that how long it had been: the operator may
  // not have noticed yet. Zero: not at all.
  absl::Duration cut_for() const;
  // Answers are delayed by so much more.
  absl::Duration slowness;
  // It refuses what it is sent.
  bool rejects = false;
  // Loses its connection and looks for another.
  void reconnect();
  bool is_connected_to(const SimXdsServer* server) const { return stream_ != nullptr && server_ == server; }

  // A gateway is Ready, and takes users' requests, when it has routes.
  bool has_routes() const { return has_hosts_; }
  // What it says that it has applied; empty: nothing.
  const std::string& applied_version() const { return applied_version_; }
  // By "<namespace>/<name>".
  const std::map<std::string, AppliedRoute>& routes() const { return routes_; }
  // Who sent the newest of them.
  const XdsSender& routes_from() const { return routes_from_; }
  // Share of 10,000 that it sends to a revision; cluster as "<namespace>/<name>/<revision>".
  uint32_t share(const std::string& cluster) const;
  // nullptr: there is no such cluster, or it has not got its endpoints yet.
  const std::set<std::string>* endpoints(const std::string& cluster) const;

  std::map<std::string, ClusterCounts>& counts() { return counts_; }
  std::string statistics(bool histograms) const;

 private:
  void connect();
  void subscribe(traffic::ResourceType type, std::vector<std::string> names);
  void take(const XdsResponse& response);
  void apply(const XdsResponse& response);
  void apply_clusters(const XdsResponse& response);
  void apply_hosts(const XdsResponse& response);
  void ask_for_endpoints();
  void answer(const XdsResponse& response, bool accepted);

  Context& context_;
  const std::string pod_;
  const std::string ip_;
  Callbacks callbacks_;
  bool running_ = false;
  int life_ = 0;
  absl::Time started_;
  std::shared_ptr<XdsStream> stream_;
  const SimXdsServer* server_ = nullptr;  // only to be compared
  absl::Time busy_until_;
  std::map<traffic::ResourceType, std::map<std::string, std::string>> versions_;  // of what it has, by name
  std::set<traffic::ResourceType> subscribed_;                                    // on this stream
  std::set<std::string> endpoints_asked_for_;                                     // on this stream
  std::set<std::string> clusters_;
  std::map<std::string, std::set<std::string>> endpoints_;
  std::map<std::string, AppliedRoute> routes_;
  XdsSender routes_from_;
  bool reachable_ = true;
  absl::Time cut_at_ = absl::InfinitePast();
  absl::Time mended_at_ = absl::InfinitePast();
  bool has_hosts_ = false;
  std::string applied_version_;
  std::map<std::string, ClusterCounts> counts_;
};

}  // namespace tidegate::sim
