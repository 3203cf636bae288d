#include "sim/envoy.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "traffic/listener.h"

namespace tidegate::sim {
namespace {

using traffic::ResourceType;

// What it takes to work through a response.
constexpr absl::Duration kShortestWork = absl::Milliseconds(2);
constexpr absl::Duration kLongestWork = absl::Milliseconds(150);

AppliedRoute read_route(const envoy::config::route::v3::VirtualHost& host) {
  AppliedRoute applied;
  for (const auto& route : host.routes()) {
    if (route.match().has_grpc() || !route.has_route()) continue;
    for (const auto& cluster : route.route().weighted_clusters().clusters()) {
      applied.clusters.emplace_back(cluster.name(), cluster.weight().value());
    }
    break;
  }
  return applied;
}

std::set<std::string> read_endpoints(const std::string& bytes) {
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  std::set<std::string> addresses;
  if (!assignment.ParseFromString(bytes)) return addresses;
  for (const auto& locality : assignment.endpoints()) {
    for (const auto& endpoint : locality.lb_endpoints()) {
      addresses.insert(endpoint.endpoint().address().socket_address().address());
    }
  }
  return addresses;
}

}  // namespace

Envoy::Envoy(Context& context, std::string pod, std::string ip, Callbacks callbacks)
    : context_(context), pod_(std::move(pod)), ip_(std::move(ip)), callbacks_(std::move(callbacks)) {}

void Envoy::start() {
  callbacks_.before_change();
  running_ = true;
  ++life_;
  started_ = context_.now();
  versions_.clear();
  clusters_.clear();
  endpoints_.clear();
  routes_.clear();
  has_hosts_ = false;
  applied_version_.clear();
  counts_.clear();
  connect();
}

void Envoy::stop() {
  if (!running_) return;
  callbacks_.before_change();
  running_ = false;
  if (stream_) stream_->close();
  stream_.reset();
  routes_.clear();
  callbacks_.on_applied();
}

void Envoy::reconnect() {
  if (stream_) stream_->close();
  stream_.reset();
  const int life = life_;
  context_.schedule.after(context_.between(absl::Milliseconds(100), absl::Seconds(3)), [this, life] {
    if (running_ && life == life_ && !stream_) connect();
  });
}

void Envoy::connect() {
  SimXdsServer* server = reachable_ ? callbacks_.find_server() : nullptr;
  if (server == nullptr) return reconnect();
  stream_ = server->connect(pod_);
  server_ = server;
  subscribed_.clear();
  endpoints_asked_for_.clear();
  busy_until_ = context_.now();
  stream_->on_response = [this, stream = stream_.get()](XdsResponse response) {
    const absl::Duration work = context_.between(kShortestWork, kLongestWork) + slowness;
    busy_until_ = std::max(busy_until_, context_.now()) + work;
    context_.schedule.at(busy_until_, [this, stream, response = std::move(response)] {
      if (running_ && stream_.get() == stream) take(response);
    });
  };
  stream_->on_end = [this, stream = stream_.get()] {
    if (running_ && stream_.get() == stream) reconnect();
  };
  subscribe(ResourceType::kCluster, {});
  ask_for_endpoints();
  subscribe(ResourceType::kListener, {});
  if (versions_.contains(ResourceType::kListener)) subscribe(ResourceType::kRoutes, {traffic::kRoutesName});
  if (versions_.contains(ResourceType::kRoutes)) subscribe(ResourceType::kVirtualHost, {traffic::kRoutesName});
}

void Envoy::subscribe(ResourceType type, std::vector<std::string> names) {
  xds::Request request{type, "", std::nullopt, std::move(names), {}, {}};
  if (subscribed_.insert(type).second) request.present = versions_[type];
  stream_->send(std::move(request));
}

void Envoy::ask_for_endpoints() {
  std::vector<std::string> names;
  for (const std::string& cluster : clusters_) {
    if (endpoints_asked_for_.insert(cluster).second) names.push_back(cluster);
  }
  if (!names.empty()) subscribe(ResourceType::kEndpoints, std::move(names));
}

void Envoy::take(const XdsResponse& response) {
  const bool accepted = !rejects;
  if (accepted) {
    callbacks_.before_change();
    apply(response);
  }
  answer(response, accepted);
  if (!accepted) return;
  if (response.type == ResourceType::kCluster) ask_for_endpoints();
  if (response.type == ResourceType::kListener) subscribe(ResourceType::kRoutes, {traffic::kRoutesName});
  if (response.type == ResourceType::kRoutes) subscribe(ResourceType::kVirtualHost, {traffic::kRoutesName});
  callbacks_.on_applied();
}

void Envoy::answer(const XdsResponse& response, bool accepted) {
  xds::Request request{response.type, response.nonce, std::nullopt, {}, {}, {}};
  if (!accepted) request.error = "out of memory for this configuration";
  if (accepted && response.type == ResourceType::kCluster) {
    for (const std::string& name : response.removed) endpoints_asked_for_.erase(name);
    if (!response.removed.empty()) {
      stream_->send({ResourceType::kEndpoints, "", std::nullopt, {}, response.removed, {}});
    }
  }
  stream_->send(std::move(request));
}

void Envoy::apply(const XdsResponse& response) {
  auto& versions = versions_[response.type];
  for (const traffic::Resource& resource : response.changed) versions[resource.name] = resource.version;
  for (const std::string& name : response.removed) versions.erase(name);
  switch (response.type) {
    case ResourceType::kCluster:
      return apply_clusters(response);
    case ResourceType::kEndpoints:
      for (const traffic::Resource& resource : response.changed) {
        endpoints_[resource.name] = read_endpoints(resource.bytes);
        if (resource.name == traffic::kVersionCluster) applied_version_ = response.version;
      }
      return;
    case ResourceType::kListener:
    case ResourceType::kRoutes:
      return;
    case ResourceType::kVirtualHost:
      return apply_hosts(response);
  }
}

void Envoy::apply_clusters(const XdsResponse& response) {
  for (const traffic::Resource& resource : response.changed) clusters_.insert(resource.name);
  for (const std::string& name : response.removed) {
    clusters_.erase(name);
    endpoints_.erase(name);
    versions_[ResourceType::kEndpoints].erase(name);
  }
}

void Envoy::set_reachable(bool reachable) {
  if (reachable_ && !reachable) cut_at_ = context_.now();
  if (!reachable_ && reachable) mended_at_ = context_.now();
  reachable_ = reachable;
}

absl::Duration Envoy::cut_for() const {
  if (!reachable_) return context_.now() - cut_at_;
  return context_.now() - mended_at_ < absl::Minutes(1) ? mended_at_ - cut_at_ : absl::ZeroDuration();
}

void Envoy::apply_hosts(const XdsResponse& response) {
  has_hosts_ = true;
  routes_from_ = response.sender;
  for (const traffic::Resource& resource : response.changed) {
    const base::ObjectKey owner = traffic::owner_of(response.type, resource.name);
    envoy::config::route::v3::VirtualHost host;
    if (owner == base::ObjectKey{} || !host.ParseFromString(resource.bytes)) continue;
    AppliedRoute& route = routes_[owner.to_string()] = read_route(host);
    route.resource_version = traffic::resource_version_of(resource.version);
  }
  for (const std::string& name : response.removed) {
    routes_.erase(traffic::owner_of(response.type, name).to_string());
  }
}

uint32_t Envoy::share(const std::string& cluster) const {
  const auto route = routes_.find(cluster.substr(0, cluster.rfind('/')));
  if (route == routes_.end()) return 0;
  for (const auto& [name, share] : route->second.clusters) {
    if (name == cluster) return share;
  }
  return 0;
}

const std::set<std::string>* Envoy::endpoints(const std::string& cluster) const {
  if (!clusters_.contains(cluster)) return nullptr;
  const auto found = endpoints_.find(cluster);
  return found == endpoints_.end() ? nullptr : &found->second;
}

std::string Envoy::statistics(bool histograms) const {
  std::string body = base::cat("server.uptime: ", absl::ToInt64Seconds(context_.now() - started_), "\n");
  if (!applied_version_.empty()) {
    body += base::cat("cluster.tidegate/version.version_text: \"", applied_version_, "\"\n");
  }
  if (!histograms) return body;
  for (const auto& [cluster, counts] : counts_) {
    body += base::cat("tidegate.requests.cluster.", cluster, ": ", counts.requests, "\n");
    body += base::cat("tidegate.ended.cluster.", cluster, ".outcome.5xx: ", counts.server_errors, "\n");
    body += base::cat("tidegate.ended.cluster.", cluster, ".outcome.reset: ", counts.resets, "\n");
    body += base::cat("tidegate.latency.cluster.", cluster, ":\n  totals=");
    std::string separator;
    for (const auto& [milliseconds, requests] : counts.by_milliseconds) {
      body += base::cat(separator, milliseconds * 1000, ",1000:", requests);
      separator = ", ";
    }
    body += "\n  intervals=\n  summary=P0(nan,1)\n";
  }
  return body;
}

}  // namespace tidegate::sim
