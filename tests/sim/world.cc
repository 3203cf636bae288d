#include "sim/world.h"

#include <algorithm>
#include <utility>

#include "api/json.h"
#include "base/strings.h"
#include "kube/watch_event.h"
#include "operator/rendering/names.h"
#include "operator/samples.h"
#include "operator/stores.h"

namespace tidegate::sim {
namespace {

using kube::Json;

// Stopped for so long, a replica is given up by the proxies that are connected to it.
constexpr absl::Duration kKeepalive = absl::Seconds(40);
// Turns at one instant that no sound program needs.
constexpr int kBusyLoop = 100'000;
constexpr absl::Duration kBookmarks = absl::Seconds(60);

base::Task<void> follow(kube::FakeApiServer& api, std::string path,
                        std::function<void(const std::string&, const Json&)> on_change, base::Scope& scope) {
  net::HttpRequest request;
  request.url = base::cat("https://api.test:6443", path, "?watch=true");
  kube::LineDecoder lines;
  request.on_chunk = [&lines, on_change](std::string_view bytes) {
    return lines.feed(bytes, [&](std::string_view line) {
      const Json event = Json::parse(line);
      on_change(event.at("type").get<std::string>(), event.at("object"));
      return true;
    });
  };
  co_await api.request(std::move(request), scope);
}

base::ObjectKey key_of(const Json& object) {
  return {kube::string_at(object, {"metadata", "namespace"}), kube::string_at(object, {"metadata", "name"})};
}

}  // namespace

World::World(uint64_t seed, const WorldOptions& options)
    : context(seed), api_(std::make_unique<kube::FakeApiServer>(clock_)) {
  api_->supports_watch_list = options.watch_list;
  api_->cached_version = [this] { return cached_version(); };
  api_->intercept = [this](const net::HttpRequest& request) { return intercept(request); };
  auto catch_up = [this] {
    users->catch_up();
    referee->gateways_about_to_change();
  };
  kubelet = std::make_unique<Kubelet>(
      context, *api_, Kubelet::Callbacks{catch_up, [this](const auto& key) { referee->pods_changed(key); }});
  gateways = std::make_unique<Gateways>(
      context, *api_,
      Envoy::Callbacks{[this] { return find_xds(); }, catch_up, [this] { referee->gateways_changed(); }});
  referee = std::make_unique<Referee>(context, *gateways, *kubelet, RefereeOptions{options.largest_skew, options.calm});
  users = std::make_unique<Users>(context, *gateways, *kubelet,
                                  [this](const Envoy& envoy, const std::string& cluster, RequestFate fate,
                                         uint64_t count) { referee->requests_went(envoy, cluster, fate, count); });
  make_cluster();
  watch_all();
  for (int i = 0; i < options.gateways; ++i) gateways->add();
  make_replicas(options);
  send_bookmarks();
  note_version();
}

World::~World() {
  replicas.clear();
  watches_.cancel();
  api_->close_watches();
  while (loop_.run_ready() > 0) {
  }
}

void World::make_cluster() {
  api_->put(operator_::cluster_serving_runtimes(),
            {{"metadata", {{"name", "tensorflow"}}}, {"spec", api::to_json(operator_::sample_runtime().spec)}});
  api_->put(kube::resources::secrets(), {{"metadata", {{"name", "minio-credentials"}, {"namespace", "demo"}}},
                                         {"data",
                                          {{"AWS_ACCESS_KEY_ID", "ZGVtbw=="},
                                           {"AWS_SECRET_ACCESS_KEY", "ZGVtbw=="},
                                           {"AWS_ENDPOINT_URL", "aHR0cDovL21pbmlvOjkwMDA="}}}});  // http://minio:9000
}

void World::make_replicas(const WorldOptions& options) {
  Replica::Surroundings surroundings{{*api_, loop_, exchanges_, [this] { return referee->lease_holder(); }},
                                     [this](const net::HttpRequest& request) { return outside(request); },
                                     !options.calm};
  for (int i = 0; i < options.replicas; ++i) {
    const absl::Duration skew = (context.random.uniform() - 0.5) * options.largest_skew;
    replicas.push_back(std::make_unique<Replica>(context, base::cat("operator-", i + 1), skew, surroundings));
    replicas.back()->start();
  }
}

void World::watch(const std::string& path, std::function<void(const std::string&, const Json&)> on_change) {
  loop_.spawn(follow(*api_, path, std::move(on_change), watches_));
}

void World::watch_all() {
  watch(operator_::model_deployments().path(""), [this](const std::string& type, const Json& object) {
    if (type == "DELETED") {
      referee->model_deleted(object);
      kubelet->owner_gone(kube::string_at(object, {"metadata", "uid"}));
    } else if (type != "BOOKMARK") {
      referee->model_changed(object, executing_.get());
    }
  });
  watch(kube::resources::deployments().path(""), [this](const std::string& type, const Json& object) {
    if (type == "BOOKMARK") return;
    if (type == "DELETED") {
      referee->deployment_deleted(object, executing_.get());
    } else {
      referee->deployment_changed(object, executing_.get());
    }
    kubelet->deployment_changed(key_of(object));
  });
  watch(kube::resources::leases().path(""), [this](const std::string& type, const Json& object) {
    if (type != "BOOKMARK") referee->lease_changed(object);
  });
  watch(kube::resources::config_maps().path(""), [this](const std::string& type, const Json& object) {
    if (type != "BOOKMARK") referee->evidence_changed(key_of(object).to_string(), executing_.get());
  });
  settle();
}

std::optional<kube::FakeApiServer::Answer> World::intercept(const net::HttpRequest& request) {
  api_->log.clear();  // nobody reads it here
  executing_ = exchanges_.find(request);
  if (!executing_) return std::nullopt;
  if (executing_->crash != CrashPoint::kNone) {
    for (const auto& replica : replicas) {
      if (replica->api() == nullptr || replica->api() != executing_->line) continue;
      context.note("fault", base::cat(executing_->replica, " dies ",
                                      executing_->crash == CrashPoint::kBeforeWrite ? "before " : "after ",
                                      request.method, " ", executing_->object));
      context.schedule.after(absl::ZeroDuration(), [this, target = replica.get()] {
        kill(*target, context.between(absl::Seconds(1), absl::Seconds(40)));
      });
    }
    if (executing_->crash == CrashPoint::kBeforeWrite) return absl::UnavailableError("connection reset by peer");
  }
  if (executing_->is_write && request.url.find("/status?") != std::string::npos) meddle(*executing_);
  if (executing_->is_watch || !context.chance(api_errors)) return std::nullopt;
  switch (context.pick(executing_->is_write ? 5 : 4)) {
    case 0:
      return kube::FakeApiServer::status_answer(429, "TooManyRequests", "the server is busy");
    case 1:
      return kube::FakeApiServer::status_answer(500, "InternalError", "etcdserver: request timed out");
    case 2:
      return kube::FakeApiServer::status_answer(503, "ServiceUnavailable", "apiserver is shutting down");
    case 3:
      return kube::FakeApiServer::status_answer(504, "Timeout", "the request did not complete in time");
    default:
      return kube::FakeApiServer::status_answer(409, "Conflict", "the object has been modified");
  }
}

// A label is nothing that the operator would look at the object for; its version moves on all the same.
void World::meddle(const Exchange& write) {
  const bool once = meddle_once_ && meddle_once_->to_string() == write.object;
  if (!once && !context.chance(meddling)) return;
  if (once) meddle_once_.reset();
  const size_t slash = write.object.find('/');
  auto object =
      api_->get(operator_::model_deployments(), {write.object.substr(0, slash), write.object.substr(slash + 1)});
  if (!object) return;
  (*object)["metadata"]["labels"]["example.com/touched"] = base::cat(++labels_);
  const std::shared_ptr<Exchange> writer = std::exchange(executing_, nullptr);
  api_->put(operator_::model_deployments(), *object);
  executing_ = writer;
}

// What the API server that a replica is connected to has cached.
uint64_t World::cached_version() {
  if (!executing_ || executing_->line == nullptr) return api_->resource_version();
  const LineFaults& faults = executing_->line->faults;
  if (context.now() >= faults.behind_until) return api_->resource_version();
  executing_->as_of = faults.behind_since;
  const auto later = versions_.upper_bound(faults.behind_since);
  return later == versions_.end() ? api_->resource_version() : later->second;
}

void World::note_version() {
  versions_[context.now()] = api_->resource_version();
  context.schedule.after(absl::Seconds(1), [this] { note_version(); });
}

OutsideAnswer World::outside(const net::HttpRequest& request) {
  const std::string host = request.url.substr(request.url.find("://") + 3);
  const size_t port = host.find(":8082/");
  if (port == std::string::npos) return {bucket.list(request.url), bucket.slowness};
  Envoy* envoy = gateways->at_address(host.substr(0, port));
  if (envoy == nullptr || !envoy->reachable())
    return {absl::UnavailableError("connection refused"), absl::ZeroDuration()};
  const bool histograms = host.find("histogram_buckets") != std::string::npos;
  if (histograms) users->catch_up();
  net::HttpResponse response;
  response.status = 200;
  response.body = envoy->statistics(histograms);
  return {response, envoy->slowness / 4};
}

SimXdsServer* World::find_xds() {
  std::vector<SimXdsServer*> ready;
  std::vector<SimXdsServer*> others;
  for (const auto& replica : replicas) {
    if (replica->xds() == nullptr || replica->stopped() || !replica->xds()->is_listening()) continue;
    (replica->is_ready() ? ready : others).push_back(replica->xds());
  }
  // A Service may still name one that is not ready any more, or never was.
  const auto& from = ready.empty() || (!others.empty() && context.chance(0.3)) ? others : ready;
  return from.empty() ? nullptr : from[static_cast<size_t>(context.pick(static_cast<int>(from.size())))];
}

void World::send_bookmarks() {
  context.schedule.after(kBookmarks, [this] {
    api_->bookmark();
    send_bookmarks();
  });
}

void World::settle() {
  bool ran = true;
  for (int turns = 0; ran && !context.trace.failed(); ++turns) {
    ran = loop_.run_ready() > 0;
    for (const auto& replica : replicas) ran = replica->run_ready() || ran;
    if (turns == kBusyLoop) stands_still();
  }
  executing_ = nullptr;
}

void World::step(absl::Time until) {
  absl::Time next = std::min({until, context.schedule.next_due(), clock_.next_due()});
  for (const auto& replica : replicas) next = std::min(next, replica->next_due());
  context.schedule.advance_to(next);
  clock_.set(context.now());
  executing_ = nullptr;
  while (!context.trace.failed() && context.schedule.run_one()) {
  }
  clock_.fire_due();
  for (const auto& replica : replicas) replica->advance_to(context.now());
}

void World::stands_still() {
  context.trace.violate(context.now(), "L3 time goes on", "something is done over and over at one instant");
}

void World::run(absl::Duration duration) {
  const absl::Time end = context.now() + duration;
  absl::Time last = context.now();
  int steps_at_once = 0;
  settle();
  while (context.now() < end && !context.trace.failed()) {
    step(end);
    settle();
    steps_at_once = context.now() == last ? steps_at_once + 1 : 0;
    last = context.now();
    if (steps_at_once == kBusyLoop) stands_still();
  }
  users->catch_up();
}

void World::apply(const base::ObjectKey& object, const Json& spec) {
  users->catch_up();
  Json json = {{"metadata", {{"name", object.name}, {"namespace", object.ns}}}};
  if (const auto known = api_->get(operator_::model_deployments(), object)) json = *known;
  json["spec"] = spec;
  api_->put(operator_::model_deployments(), json);
}

void World::annotate(const base::ObjectKey& object, const std::string& name, const std::string& value) {
  auto json = api_->get(operator_::model_deployments(), object);
  if (!json) return;
  (*json)["metadata"]["annotations"][name] = value;
  api_->put(operator_::model_deployments(), *json);
}

void World::erase(const base::ObjectKey& object) {
  users->catch_up();
  if (api_->get(operator_::model_deployments(), object)) api_->erase(operator_::model_deployments(), object);
}

void World::mark_deleted(const base::ObjectKey& object) {
  auto json = api_->get(operator_::model_deployments(), object);
  if (!json) return;
  (*json)["metadata"]["finalizers"] = Json::array({"example.com/keep"});
  (*json)["metadata"]["deletionTimestamp"] = kube::format_time(context.now());
  api_->put(operator_::model_deployments(), *json);
}

void World::kill(Replica& replica, absl::Duration down) {
  if (!replica.exists()) return;
  replica.kill();
  const int life = replica.lives();
  context.schedule.after(down, [this, &replica, life] {
    if (replica.lives() != life) return;
    replica.start();
    // A proxy may come before it knows anything, and know nothing itself.
    Envoy* envoy = gateways->pick();
    if (envoy != nullptr && context.chance(0.4)) envoy->reconnect();
    if (envoy != nullptr && context.chance(0.25)) gateways->restart(*envoy);
  });
}

void World::terminate(Replica& replica, absl::Duration down) {
  if (!replica.exists()) return;
  replica.terminate();
  const int life = replica.lives();
  // What does not end within its grace period is killed.
  context.schedule.after(absl::Seconds(30) + down, [&replica, life] {
    if (replica.lives() != life) return;
    replica.kill();
    replica.start();
  });
}

void World::stop(Replica& replica, absl::Duration duration) {
  if (!replica.exists() || replica.stopped()) return;
  replica.stop();
  context.schedule.after(kKeepalive, [this, &replica] {
    if (!replica.stopped()) return;
    for (Envoy* envoy : gateways->running()) {
      if (envoy->is_connected_to(replica.xds())) envoy->reconnect();
    }
  });
  context.schedule.after(duration, [&replica] { replica.resume(); });
}

Replica& World::pick_replica() {
  // Mostly the leader: the others write nothing.
  if (Replica* leading = leader(); leading != nullptr && context.chance(0.7)) return *leading;
  return *replicas[static_cast<size_t>(context.pick(static_cast<int>(replicas.size())))];
}

Replica* World::leader() {
  for (const auto& replica : replicas) {
    if (replica->api() != nullptr && replica->api()->replica() == referee->lease_holder().identity)
      return replica.get();
  }
  return nullptr;
}

}  // namespace tidegate::sim
