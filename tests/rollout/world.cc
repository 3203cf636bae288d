#include "rollout/world.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace tidegate::rollout {
namespace {

constexpr char kUid[] = "uid-1";

// (lower, upper] edges three per cent apart, as a gateway's histogram has them.
void count_latency(stats::LatencyHistogram& histogram, double ms) {
  const double cell = std::floor(std::log(ms) / std::log(1.03));
  histogram.add(std::pow(1.03, cell), std::pow(1.03, cell + 1), 1);
}

}  // namespace

World::World(uint64_t seed) : now(absl::FromUnixSeconds(1'760'000'000)), random(seed) {
  object.metadata.name = "digits";
  object.metadata.namespace_ = "demo";
  object.metadata.uid = kUid;
  object.metadata.generation = 1;
  object.metadata.resource_version = "1";
  object.spec.replicas = 2;
  object.spec.model.uri = "s3://models/digits";
  proxies["gateway-a"] = {};
  proxies["gateway-b"] = {};
}

void World::edit(const std::function<void(api::ModelDeploymentSpec&)>& change) {
  const api::ModelDeploymentSpec before = object.spec;
  change(object.spec);
  if (object.spec == before) return;
  ++object.metadata.generation;
  object.metadata.resource_version = std::to_string(++resource_version_);
}

void World::want(const std::string& version) {
  edit([&](api::ModelDeploymentSpec& spec) { spec.model.version = version; });
  wanted_version_ = version;
}

void World::annotate(const std::string& command, const std::string& argument) {
  object.metadata.annotations["tidegate.dev/" + command] = argument;
  object.metadata.resource_version = std::to_string(++resource_version_);
}

std::vector<PodFailure> World::failures_of(const WorldPod& pod) const {
  std::vector<PodFailure> failures;
  const auto found = behaviour.find(pod.version);
  if (found != behaviour.end() && found->second.failure && pod.replicas > 0) {
    failures.push_back({.kind = *found->second.failure,
                        .pod = "pod-of-" + pod.version,
                        .reason = found->second.failure_reason,
                        .message = found->second.failure_message});
  }
  int placed = 0;
  for (const auto& [revision, other] : pods) placed += other.available;
  if (pod.available < pod.replicas && placed >= capacity) {
    failures.push_back({.kind = PodFailureKind::kUnschedulable,
                        .pod = "pending-pod",
                        .reason = "Unschedulable",
                        .message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."});
  }
  return failures;
}

Observed World::observe() const {
  Observed observed;
  observed.now = now;
  observed.metadata = object.metadata;
  observed.spec = object.spec;
  observed.status = object.status;
  if (resolved && !wanted_version_.empty()) {
    observed.wanted = WantedRevision{revision_of(wanted_version_), wanted_version_, "source-" + wanted_version_};
  }
  observed.resolve_error = resolve_error;
  for (const auto& [revision, pod] : pods) {
    observed.workloads.push_back({.revision = revision,
                                  .version = pod.version,
                                  .uid = pod.uid,
                                  .resource_version = std::to_string(pod.resource_version),
                                  .owner_uid = pod.owner_uid,
                                  .created = pod.created,
                                  .content_digest = pod.available > 0 ? "sha256:content-" + pod.version : "",
                                  .replicas = pod.replicas,
                                  .ready = pod.available,
                                  .available = pod.available,
                                  .updated = pod.replicas,
                                  .failures = pod.failures});
  }
  for (const auto& [name, proxy] : proxies) {
    observed.proxies.push_back({.name = name, .ready = true, .applied_resource_version = proxy.applied});
  }
  observed.traffic_resource_version = traffic_resource_version_;
  if (metrics_fail) observed.measurement_error = MeasurementError{"gateway-a does not answer", metrics_failed_since};
  if (window_open) observed.measurements = measurements_;
  observed.leader_epoch = leader_epoch;
  observed.status_written = status_written_;
  return observed;
}

Plan World::look() {
  Plan made = plan(observe());
  carry_out(made);
  return made;
}

void World::carry_out(const Plan& made) {
  last_plan = made;
  if (!made.stop.empty()) return;
  if (made.status_changed) {
    object.metadata.resource_version = std::to_string(++resource_version_);
    if (made.status.traffic != object.status.traffic) traffic_resource_version_ = resource_version_;
    object.status = made.status;
    status_written_ = now;
    ++status_writes;
  }
  for (const CreateWorkload& item : made.creates) {
    if (pods.contains(item.revision)) throw std::logic_error("created twice: " + item.revision);
    pods[item.revision] = {.replicas = item.replicas,
                           .version = item.version,
                           .created = now,
                           .uid = "pod-uid-" + std::to_string(next_uid_++),
                           .owner_uid = object.metadata.uid};
  }
  for (const ScaleWorkload& item : made.scales) {
    WorldPod& pod = pods.at(item.revision);
    if (pod.uid != item.uid) throw std::logic_error("scaled another object");
    pod.replicas = item.replicas;
    ++pod.resource_version;
  }
  for (const DeleteWorkload& item : made.deletes) pods.erase(item.revision);
  events.insert(events.end(), made.events.begin(), made.events.end());
  notifications.insert(notifications.end(), made.notifications.begin(), made.notifications.end());
}

void World::start_pods() {
  for (auto& [revision, pod] : pods) pod.available = std::min(pod.available, pod.replicas);
  if (!pods_start) return;
  int placed = 0;
  for (const auto& [revision, pod] : pods) placed += pod.available;
  for (auto& [revision, pod] : pods) {
    const auto found = behaviour.find(pod.version);
    if (found != behaviour.end() && found->second.failure) {
      pod.available = 0;
      continue;
    }
    const int more = std::min(pod.replicas - pod.available, capacity - placed);
    if (more <= 0) continue;
    pod.available += more;
    placed += more;
  }
}

void World::program_proxies() {
  for (auto& [name, proxy] : proxies) {
    if (proxy.stuck || object.status.traffic.empty()) continue;
    proxy.applied = resource_version_;
    proxy.shares = object.status.traffic;
  }
}

void World::send_to(const std::string& revision, int64_t requests, ArmMeasurement* arm) {
  const auto pod = pods.find(revision);
  if (pod == pods.end()) return;
  const Behaviour& is = behaviour[pod->second.version];
  requests_by_version[pod->second.version] += requests;
  std::uniform_real_distribution<double> unit(0, 1);
  for (int64_t i = 0; i < requests; ++i) {
    const bool failed = pod->second.available == 0 || unit(random) < is.error_rate;
    requests_failed += failed ? 1 : 0;
    if (arm == nullptr) continue;
    ++arm->requests;
    if (failed) ++arm->errors.model;
    count_latency(arm->latency, is.latency_ms * std::exp2(2 * unit(random) - 1));
  }
}

void World::send_requests(absl::Duration time) {
  const auto& canary = object.status.canary;
  const bool measuring = canary && canary->measure_from && object.status.stable;
  if (!measuring) {
    measurements_.reset();
    window_key_.reset();
  } else if (window_key_ != canary->measure_from) {
    window_key_ = canary->measure_from;
    measurements_ = Measurements{.canary_revision = canary->revision, .from = now, .until = now};
  }
  for (const auto& [name, proxy] : proxies) {
    const double all = requests_per_second * absl::ToDoubleSeconds(time) / static_cast<double>(proxies.size());
    for (const api::TrafficShare& share : proxy.shares) {
      ArmMeasurement* arm = nullptr;
      const bool read = measuring && !metrics_fail;
      if (read && share.revision == canary->revision) arm = &measurements_->canary;
      if (read && share.revision == object.status.stable->revision) arm = &measurements_->stable;
      send_to(share.revision, std::poisson_distribution<int64_t>(all * share.weight / 100)(random), arm);
    }
  }
  if (measurements_ && !metrics_fail) measurements_->until = now + time;
}

void World::pass(absl::Duration time) {
  send_requests(time);
  now += time;
  start_pods();
  for (auto& [revision, pod] : pods) pod.failures = failures_of(pod);
  program_proxies();
}

bool World::run_until(const std::function<bool()>& done, absl::Duration limit) {
  const absl::Time end = now + limit;
  while (!done()) {
    if (now >= end) return false;
    pass(absl::Seconds(5));
    look();
  }
  return true;
}

void World::run_for(absl::Duration time) {
  run_until([] { return false; }, time);
}

void World::restart_operator() { status_written_.reset(); }

int World::weight(const std::string& version) const {
  for (const api::TrafficShare& share : object.status.traffic) {
    if (share.revision == revision_of(version)) return share.weight;
  }
  return 0;
}

int World::available(const std::string& version) const {
  const auto found = pods.find(revision_of(version));
  return found == pods.end() ? 0 : found->second.available;
}

const api::Condition& World::condition(const std::string& type) const {
  for (const api::Condition& condition : object.status.conditions) {
    if (condition.type == type) return condition;
  }
  throw std::logic_error("no condition " + type);
}

bool World::saw_event(const std::string& reason) const {
  return std::any_of(events.begin(), events.end(), [&](const Event& event) { return event.reason == reason; });
}

bool World::is_healthy_at(const std::string& version) const {
  return object.status.phase == api::Phase::kHealthy && object.status.stable &&
         object.status.stable->version == version && weight(version) == 100;
}

}  // namespace tidegate::rollout
