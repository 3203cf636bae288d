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
  routes_version_.clear();
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
  SimXdsServer* server = reachable ? callbacks_.find_server() : nullptr;
  if (server == nullptr) return reconnect();
  stream_ = server->connect(pod_);
  server_ = server;
  nonces_.clear();
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
  if (!clusters_.empty()) subscribe(ResourceType::kEndpoints, cluster_names());
  subscribe(ResourceType::kListener, {});
  subscribe(ResourceType::kRoutes, {traffic::kRoutesName});
}

std::set<std::string> Envoy::cluster_names() const { return clusters_; }

void Envoy::subscribe(ResourceType type, std::set<std::string> names) {
  stream_->send({type, versions_[type], nonces_[type], std::move(names), std::nullopt});
}

void Envoy::take(const XdsResponse& response) {
  nonces_[response.type] = response.nonce;
  const bool accepted = !rejects;
  if (accepted) {
    callbacks_.before_change();
    apply(response);
    versions_[response.type] = response.version;
  }
  answer(response, accepted);
  if (accepted && response.type == ResourceType::kCluster) subscribe(ResourceType::kEndpoints, cluster_names());
  if (accepted) callbacks_.on_applied();
}

void Envoy::answer(const XdsResponse& response, bool accepted) {
  std::set<std::string> names;
  if (response.type == ResourceType::kEndpoints) names = cluster_names();
  if (response.type == ResourceType::kRoutes) names = {traffic::kRoutesName};
  std::optional<std::string> error;
  if (!accepted) error = "out of memory for this configuration";
  stream_->send({response.type, versions_[response.type], response.nonce, std::move(names), std::move(error)});
}

void Envoy::apply(const XdsResponse& response) {
  switch (response.type) {
    case ResourceType::kCluster:
      clusters_.clear();
      for (const auto& [name, bytes] : response.resources) clusters_.insert(name);
      std::erase_if(endpoints_, [&](const auto& known) { return !clusters_.contains(known.first); });
      return;
    case ResourceType::kEndpoints:
      for (const auto& [name, bytes] : response.resources) endpoints_[name] = read_endpoints(bytes);
      return;
    case ResourceType::kListener:
      return;
    case ResourceType::kRoutes:
      return apply_routes(response);
  }
}

void Envoy::apply_routes(const XdsResponse& response) {
  routes_.clear();
  routes_version_ = response.version;
  for (const auto& [name, bytes] : response.resources) {
    envoy::config::route::v3::RouteConfiguration configuration;
    if (!configuration.ParseFromString(bytes)) continue;
    for (const auto& host : configuration.virtual_hosts()) {
      if (host.name() != "*") routes_[host.name()] = read_route(host);
    }
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
  if (!routes_version_.empty()) {
    body += base::cat("http.gateway.rds.tidegate.version_text: \"", routes_version_, "\"\n");
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
