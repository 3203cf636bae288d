#include "xds/stream_state.h"

#include <algorithm>
#include <utility>

namespace tidegate::xds {

using traffic::ResourceType;

void StreamState::on_request(Request request) {
  Subscription& known = subscription(request.type);
  if (!known.active) return begin(known, std::move(request));
  // An answer to something older than the last response: the proxy will answer that one, too, with its present names.
  if (request.nonce != known.nonce) return;
  if (!request.nonce.empty()) take_answer(known, request);
  if (request.names != known.names) {
    known.names = std::move(request.names);
    known.needs_answer = true;
  }
}

void StreamState::begin(Subscription& subscription, Request request) {
  subscription.active = true;
  subscription.needs_answer = true;
  subscription.names = std::move(request.names);
  subscription.status.applied = request.version;
  highest_presented_ = std::max(highest_presented_, traffic::resource_version_of(request.version));
}

void StreamState::take_answer(Subscription& subscription, const Request& request) {
  subscription.answered = true;
  subscription.status.applied = request.version;
  if (request.error) {
    subscription.status.rejection = Rejection{subscription.status.sent, *request.error};
  } else {
    subscription.status.rejection.reset();
  }
}

bool StreamState::waits_for(const traffic::Snapshot& snapshot) const {
  return highest_presented_ > snapshot.caught_up_to;
}

std::vector<ResourceType> StreamState::due(const traffic::Snapshot& snapshot) const {
  std::vector<ResourceType> types;
  if (waits_for(snapshot)) return types;
  for (const ResourceType type : {ResourceType::kCluster, ResourceType::kEndpoints}) {
    if (is_due(type, snapshot)) types.push_back(type);
  }
  if (!clusters_settled(snapshot) || !endpoints_settled(snapshot)) return types;
  for (const ResourceType type : {ResourceType::kListener, ResourceType::kRoutes}) {
    if (is_due(type, snapshot)) types.push_back(type);
  }
  return types;
}

bool StreamState::is_due(ResourceType type, const traffic::Snapshot& snapshot) const {
  const Subscription& known = subscription(type);
  return known.active && (known.needs_answer || known.status.sent != snapshot.set(type).version);
}

bool StreamState::clusters_settled(const traffic::Snapshot& snapshot) const {
  const Subscription& clusters = subscription(ResourceType::kCluster);
  if (!clusters.active) return true;
  return clusters.answered && clusters.status.sent == snapshot.set(ResourceType::kCluster).version;
}

// A proxy asks for the endpoints of every cluster that it has accepted, so until all are asked for, sent and answered,
// some of its clusters are not there yet.
bool StreamState::endpoints_settled(const traffic::Snapshot& snapshot) const {
  const Subscription& clusters = subscription(ResourceType::kCluster);
  const auto& wanted = snapshot.set(ResourceType::kCluster).resources;
  if (!clusters.active || clusters.status.rejection || wanted.empty()) return true;
  const Subscription& endpoints = subscription(ResourceType::kEndpoints);
  if (!endpoints.answered || endpoints.needs_answer ||
      endpoints.status.sent != snapshot.set(ResourceType::kEndpoints).version) {
    return false;
  }
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const auto& cluster) { return endpoints.names.contains(cluster.first); });
}

std::string StreamState::sent(ResourceType type, const std::string& version) {
  Subscription& known = subscription(type);
  known.needs_answer = false;
  known.answered = false;
  known.nonce = std::to_string(++last_nonce_);
  known.status.sent = version;
  return known.nonce;
}

std::array<TypeStatus, 4> StreamState::status() const {
  std::array<TypeStatus, 4> all;
  for (size_t i = 0; i < all.size(); ++i) all[i] = subscriptions_[i].status;
  return all;
}

}  // namespace tidegate::xds
