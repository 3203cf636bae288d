#include "sim/users.h"

#include <cmath>
#include <vector>

namespace tidegate::sim {

void Users::catch_up() {
  const double seconds = absl::ToDoubleSeconds(context_.now() - until_);
  until_ = context_.now();
  if (seconds <= 0) return;
  std::vector<Envoy*> serving;
  for (Envoy* envoy : gateways_.running()) {
    if (envoy->has_routes()) serving.push_back(envoy);
  }
  if (serving.empty()) return;
  for (const auto& [object, rate] : requests_per_second) {
    for (Envoy* envoy : serving) {
      const auto route = envoy->routes().find(object);
      if (route == envoy->routes().end() || route->second.clusters.empty()) {
        told_(*envoy, object + "/", RequestFate::kNoRoute, static_cast<uint64_t>(rate * seconds));
        continue;
      }
      const double exact = rate * seconds / static_cast<double>(serving.size()) + carry_;
      const auto count = static_cast<uint64_t>(exact);
      carry_ = exact - static_cast<double>(count);
      send(*envoy, route->second, count);
    }
  }
}

void Users::send(Envoy& envoy, const AppliedRoute& route, uint64_t count) {
  std::vector<uint64_t> chosen(route.clusters.size());
  for (uint64_t i = 0; i < count; ++i) {
    auto left = static_cast<int64_t>(context_.random.next() % 10'000);
    for (size_t at = 0; at < route.clusters.size(); ++at) {
      left -= route.clusters[at].second;
      if (left >= 0) continue;
      ++chosen[at];
      break;
    }
  }
  for (size_t at = 0; at < chosen.size(); ++at) {
    if (chosen[at] > 0) send_to(envoy, route.clusters[at].first, chosen[at]);
  }
}

void Users::send_to(Envoy& envoy, const std::string& cluster, uint64_t count) {
  ClusterCounts& counts = envoy.counts()[cluster];
  counts.requests += count;
  requests_ += count;
  const auto* endpoints = envoy.endpoints(cluster);
  std::vector<const SimPod*> alive;
  size_t dead = 0;
  if (endpoints != nullptr) {
    for (const std::string& ip : *endpoints) {
      const SimPod* pod = kubelet_.at_address(ip);
      pod != nullptr && pod->alive ? alive.push_back(pod) : void(++dead);
    }
  }
  // A refused connection is tried at another endpoint, and outlier detection keeps to those that answer.
  if (alive.empty()) {
    counts.resets += count;
    counts.by_milliseconds[1] += count;
    unanswered_ += count;
    return told_(envoy, cluster, endpoints == nullptr ? RequestFate::kUnknownCluster : RequestFate::kNobodyThere,
                 count);
  }
  const auto known = kubelet_.behaviours.find(alive.front()->version);
  const Behaviour behaviour = known == kubelet_.behaviours.end() ? Behaviour{} : known->second;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t chance = context_.random.next();
    const bool error = static_cast<double>(chance >> 32) * 0x1.0p-32 < behaviour.errors;
    const double spread = 0.8 + 0.4 * static_cast<double>(chance & 0xffff) / 65536;
    if (error) ++counts.server_errors;
    errors_ += error ? 1 : 0;
    ++counts.by_milliseconds[std::lround(behaviour.milliseconds * spread)];
  }
  told_(envoy, cluster, RequestFate::kAnswered, count);
}

}  // namespace tidegate::sim
