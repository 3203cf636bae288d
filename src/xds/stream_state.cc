#include "xds/stream_state.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/strings.h"

namespace tidegate::xds {

using traffic::ResourceType;

namespace {

// More than these cannot be named one by one: then nothing is confirmed.
constexpr size_t kMostNamedRejections = 16;

// What a proxy says it has, in the form in which snapshots have it; without bytes.
std::shared_ptr<const traffic::Snapshot> snapshot_of(ResourceType type,
                                                     const std::map<std::string, std::string>& present) {
  std::map<base::ObjectKey, std::shared_ptr<traffic::ResourceGroup>> groups;
  for (const auto& [name, version] : present) {
    auto& group = groups[traffic::owner_of(type, name)];
    if (group == nullptr) group = std::make_shared<traffic::ResourceGroup>();
    group->of(type).push_back({name, version, ""});
  }
  auto snapshot = std::make_shared<traffic::Snapshot>();
  for (auto& [owner, group] : groups) {
    group->owner = owner;
    snapshot->groups.push_back(std::move(group));
  }
  return snapshot;
}

// Replicas may differ in when they first saw the same bytes, which a virtual host's version begins with.
bool same_content(std::string_view a, std::string_view b) {
  const auto hash_of = [](std::string_view version) { return version.substr(version.find('-') + 1); };
  return hash_of(a) == hash_of(b);
}

// Appends what is in the group now and was not the same before, and what was in it before alone.
void compare(const traffic::GroupChange& change, ResourceType type, Batch& batch) {
  static const std::vector<traffic::Resource> none;
  const auto& old = change.before == nullptr ? none : change.before->of(type);
  const auto& now = change.after == nullptr ? none : change.after->of(type);
  auto known = old.begin();
  for (const traffic::Resource& resource : now) {
    for (; known != old.end() && known->name < resource.name; ++known) batch.removed.push_back(known->name);
    const bool same =
        known != old.end() && known->name == resource.name && same_content(known->version, resource.version);
    if (!same) batch.changed.push_back(&resource);
    if (known != old.end() && known->name == resource.name) ++known;
  }
  for (; known != old.end(); ++known) batch.removed.push_back(known->name);
}

}  // namespace

void StreamState::on_request(Request request) {
  Subscription& subscription = of(request.type);
  if (!subscription.active) begin(subscription, request);
  if (request.type == ResourceType::kEndpoints) subscribe_endpoints(request);
  if (!request.nonce.empty()) take_answer(subscription, request);
}

void StreamState::begin(Subscription& subscription, const Request& request) {
  subscription.active = true;
  subscription.has = snapshot_of(request.type, request.present);
  const auto version = request.present.find(traffic::kVersionCluster);
  // All that it asks for now is owed to it, out of the target.
  const bool begins_anew = request.type == ResourceType::kEndpoints && request.present.empty();
  if (begins_anew && target_ != nullptr) subscription.has = target_;
  if (request.type == ResourceType::kCluster) {
    presents_version_ = version != request.present.end();
    newcomer_ = holds_newcomers_ && !presents_version_;
  }
  if (request.type == ResourceType::kEndpoints && version != request.present.end()) {
    version_.version = version->second;
    applied_ = traffic::parse_applied_version(version->second);
    presents_hosts_ = applied_.resource_version > 0;
    highest_presented_ = std::max(highest_presented_, applied_.resource_version);
  }
  if (request.type != ResourceType::kVirtualHost) return;
  for (const auto& [name, text] : request.present) {
    highest_presented_ = std::max(highest_presented_, traffic::resource_version_of(text));
  }
}

void StreamState::subscribe_endpoints(const Request& request) {
  for (const std::string& name : request.unsubscribe) {
    endpoints_wanted_.erase(name);
    endpoints_owed_.erase(name);
    of(ResourceType::kEndpoints).delivery.forget(name);
  }
  for (const std::string& name : request.subscribe) {
    endpoints_wanted_.insert(name);
    awaited_.erase(name);
    // Who asks for endpoints and not yet for clusters has a cluster that waits for them, maybe one that has older ones.
    const bool may_wait = !of(ResourceType::kCluster).active && name != traffic::kVersionCluster;
    if (may_wait || !request.present.contains(name)) endpoints_owed_.insert(name);
  }
}

void StreamState::take_answer(Subscription& subscription, const Request& request) {
  Delivery& delivery = subscription.delivery;
  const Batch* batch = delivery.in_flight();
  const bool is_version = batch != nullptr && batch->changed.size() == 1 && batch->changed.front() == &version_;
  if (!delivery.answer(request.nonce, request.error)) return;
  if (is_version && !request.error) applied_ = traffic::parse_applied_version(version_.version);
  if (request.type == ResourceType::kCluster) {
    for (const auto& [name, message] : delivery.refused()) awaited_.erase(name);
  }
  if (delivery.take_change_of_mind()) offer_all_again(request.type);
}

void StreamState::confirm(uint64_t resource_version) {
  if (!newcomer_) return;
  newcomer_ = false;
  highest_presented_ = std::max(highest_presented_, resource_version);
}

bool StreamState::waits_for(const traffic::Snapshot& snapshot) const {
  if (newcomer_) return true;
  if (presents_version_ && !of(ResourceType::kEndpoints).active) return true;
  if (presents_hosts_ && !of(ResourceType::kVirtualHost).active) return true;
  return highest_presented_ > snapshot.caught_up_to;
}

std::vector<Response> StreamState::due(const std::shared_ptr<const traffic::Snapshot>& snapshot) {
  std::vector<Response> responses;
  if (waits_for(*snapshot)) return responses;
  while (true) {
    if (stage_ == Stage::kIdle && all_settled()) {
      set_target(snapshot);
      if (lacks_something()) enter_next_stage();
    }
    queue_owed_endpoints();
    collect(responses);
    if (stage_ == Stage::kIdle || !stage_is_done()) return responses;
    enter_next_stage();
  }
}

void StreamState::set_target(const std::shared_ptr<const traffic::Snapshot>& snapshot) {
  target_ = snapshot;
  comparison_ = {};
  if (!version_.name.empty()) return;
  std::string presented = std::exchange(version_.version, "");
  version_ = *target_->find(ResourceType::kEndpoints, traffic::kVersionCluster);
  if (!presented.empty()) version_.version = std::move(presented);
}

// Batches that are still on their way point into the present target.
bool StreamState::all_settled() const {
  return std::all_of(subscriptions_.begin(), subscriptions_.end(),
                     [](const Subscription& known) { return known.delivery.settled(); });
}

// A proxy that connects again while some cluster waits for its endpoints asks for clusters only when it has got them:
// until then it is sent endpoints, and nothing that might lead to clusters that it lacks.
bool StreamState::lacks_something() const {
  return of(ResourceType::kCluster).active &&
         std::any_of(subscriptions_.begin(), subscriptions_.end(),
                     [&](const Subscription& known) { return known.active && known.has != target_; });
}

bool StreamState::stage_is_done() const {
  const auto settled = [&](ResourceType type) { return of(type).delivery.settled(); };
  switch (stage_) {
    case Stage::kIdle:
      return false;
    case Stage::kClusters:
      return settled(ResourceType::kCluster) && settled(ResourceType::kEndpoints) && awaited_.empty();
    case Stage::kRoutes:
      return settled(ResourceType::kListener) && settled(ResourceType::kRoutes) && settled(ResourceType::kVirtualHost);
    case Stage::kRemovals:
      // Endpoints, too: what was said last about the version has arrived.
      return settled(ResourceType::kCluster) && settled(ResourceType::kEndpoints);
    case Stage::kVersion:
      return settled(ResourceType::kEndpoints);
  }
  return false;
}

void StreamState::enter_next_stage() {
  switch (stage_) {
    case Stage::kIdle:
      stage_ = Stage::kClusters;
      return enter_clusters();
    case Stage::kClusters:
      stage_ = Stage::kRoutes;
      return enter_routes();
    case Stage::kRoutes:
      stage_ = Stage::kRemovals;
      for (const std::string& name : removed_clusters_) of(ResourceType::kCluster).delivery.forget(name);
      return of(ResourceType::kCluster).delivery.queue({{}, std::exchange(removed_clusters_, {}), false});
    case Stage::kRemovals:
      stage_ = Stage::kVersion;
      return enter_version();
    case Stage::kVersion:
      stage_ = Stage::kIdle;
      return;
  }
}

void StreamState::enter_clusters() {
  Batch clusters = difference(ResourceType::kCluster);
  removed_clusters_ = std::exchange(clusters.removed, {});
  for (const traffic::Resource* cluster : clusters.changed) {
    // A cluster that the proxy makes anew waits for its endpoints, which it asks for only if it has not before.
    (endpoints_wanted_.contains(cluster->name) ? endpoints_owed_ : awaited_).insert(cluster->name);
  }
  of(ResourceType::kCluster).delivery.queue(std::move(clusters));
  offer_again(ResourceType::kCluster);
  if (!of(ResourceType::kEndpoints).active) return;
  for (const traffic::Resource* endpoints : difference(ResourceType::kEndpoints).changed) {
    if (endpoints->name != traffic::kVersionCluster) endpoints_owed_.insert(endpoints->name);
  }
  queue_owed_endpoints();
  offer_again(ResourceType::kEndpoints);
}

void StreamState::enter_routes() {
  for (const ResourceType type : {ResourceType::kListener, ResourceType::kRoutes, ResourceType::kVirtualHost}) {
    if (of(type).active) queue_difference(type);
  }
}

void StreamState::queue_difference(ResourceType type) {
  Batch batch = difference(type);
  for (const std::string& name : batch.removed) of(type).delivery.forget(name);
  of(type).delivery.queue(std::move(batch));
  offer_again(type);
}

void StreamState::enter_version() {
  // A type that the proxy has asked for in the middle of this was not in it.
  const bool has_all = std::all_of(subscriptions_.begin(), subscriptions_.end(),
                                   [&](const Subscription& known) { return known.has == target_; });
  if (!has_all || !endpoints_wanted_.contains(traffic::kVersionCluster)) return;
  // What had the number that the proxy came with may be gone since; the target has all up to there in any case.
  traffic::AppliedVersion reached{std::max(target_->resource_version, highest_presented_), {}};
  for (const Rejection& rejection : rejections()) {
    if (rejection.object.empty()) return;
    reached.without.push_back(rejection.object);
  }
  std::sort(reached.without.begin(), reached.without.end());
  reached.without.erase(std::unique(reached.without.begin(), reached.without.end()), reached.without.end());
  if (reached.without.size() > kMostNamedRejections) return;
  std::string text = traffic::to_text(reached);
  if (text == version_.version) return;
  version_.version = std::move(text);
  of(ResourceType::kEndpoints).delivery.queue({{&version_}, {}, false});
}

const std::vector<traffic::GroupChange>& StreamState::changes_since(
    const std::shared_ptr<const traffic::Snapshot>& before) {
  if (comparison_.before != before) {
    comparison_ = {before, traffic::changed_groups(before->groups, target_->groups)};
  }
  return comparison_.changes;
}

Batch StreamState::difference(ResourceType type) {
  Batch batch;
  const auto before = std::exchange(of(type).has, target_);
  if (before == target_) return batch;
  for (const traffic::GroupChange& change : changes_since(before)) compare(change, type, batch);
  return batch;
}

void StreamState::queue_owed_endpoints() {
  if (endpoints_owed_.empty()) return;
  Batch batch;
  for (const std::string& name : std::exchange(endpoints_owed_, {})) {
    const traffic::Resource* endpoints = find(ResourceType::kEndpoints, name);
    if (!endpoints_wanted_.contains(name)) continue;
    if (endpoints != nullptr) {
      batch.changed.push_back(endpoints);
    } else {
      batch.removed.push_back(name);  // else the cluster that waits for them, and is to go, would wait for ever
    }
  }
  of(ResourceType::kEndpoints).delivery.queue(std::move(batch));
}

void StreamState::offer_again(ResourceType type) {
  Delivery& delivery = of(type).delivery;
  const std::string name = delivery.next_to_offer_again();
  if (name.empty()) return;
  const traffic::Resource* resource = find(type, name);
  if (resource == nullptr) return delivery.forget(name);
  delivery.queue({{resource}, {}, true});
}

void StreamState::offer_all_again(ResourceType type) {
  Batch batch;
  for (const auto& [name, message] : of(type).delivery.refused()) {
    if (const traffic::Resource* resource = find(type, name)) batch.changed.push_back(resource);
  }
  of(type).delivery.queue(std::move(batch));
}

const traffic::Resource* StreamState::find(ResourceType type, const std::string& name) const {
  const bool is_version = type == ResourceType::kEndpoints && name == traffic::kVersionCluster;
  return is_version ? &version_ : target_->find(type, name);
}

void StreamState::collect(std::vector<Response>& responses) {
  for (const ResourceType type : traffic::kResourceTypes) {
    const std::string nonce = base::cat(last_nonce_ + 1);
    const Batch* batch = of(type).delivery.take(nonce);
    if (batch == nullptr) continue;
    ++last_nonce_;
    // The proxy shows this as the version of each cluster whose endpoints it was told, the version cluster among them.
    const std::string version =
        type == ResourceType::kEndpoints ? version_.version : base::cat(target_->resource_version);
    responses.push_back({type, nonce, version, batch->changed, batch->removed});
  }
}

std::vector<Rejection> StreamState::rejections() const {
  std::vector<Rejection> rejections;
  for (const Subscription& subscription : subscriptions_) {
    std::vector<Rejection> more = subscription.delivery.rejections();
    std::move(more.begin(), more.end(), std::back_inserter(rejections));
  }
  return rejections;
}

}  // namespace tidegate::xds
