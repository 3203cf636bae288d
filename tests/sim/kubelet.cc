#include "sim/kubelet.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "operator/rendering/names.h"

namespace tidegate::sim {
namespace {

using kube::Json;

// Now and then the garbage collector has much to do.
constexpr absl::Duration kSlowestCollection = absl::Seconds(60);
// The container's preStop, and what is left of the grace period.
constexpr absl::Duration kPreStop = absl::Seconds(5);

Json runtime_status(const SimPod& pod) {
  Json status = {{"name", operator_::kRuntimeContainer}, {"ready", pod.ready}, {"restartCount", pod.restarts}};
  if (!pod.last_words.empty() || (pod.restarts > 0 && !pod.alive)) {
    status["lastState"] = {{"terminated", {{"exitCode", 1}, {"reason", "Error"}, {"message", pod.last_words}}}};
  }
  if (pod.alive) {
    status["state"] = {{"running", Json::object()}};
    status["containerID"] = base::cat("c-", pod.key.name, "-", pod.restarts);
  } else if (pod.deleting || pod.failed) {
    status["state"] = {{"terminated", {{"exitCode", 0}}}};
  } else {
    status["state"] = {{"waiting", {{"reason", pod.restarts > 1 ? "CrashLoopBackOff" : "ContainerCreating"}}}};
  }
  return status;
}

Json fetch_status() {
  const Json ended = {{"exitCode", 0}, {"reason", "Completed"}, {"message", R"({"digest":"sha256:c0ffee"})"}};
  return {{"name", operator_::kFetchContainer}, {"state", {{"terminated", ended}}}};
}

Json conditions(const SimPod& pod) {
  Json conditions = Json::array();
  if (pod.unschedulable) {
    conditions.push_back({{"type", "PodScheduled"},
                          {"status", "False"},
                          {"reason", "Unschedulable"},
                          {"message", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."}});
  }
  conditions.push_back({{"type", "Ready"}, {"status", pod.ready ? "True" : "False"}});
  conditions.push_back({{"type", "ContainersReady"}, {"status", pod.containers_ready ? "True" : "False"}});
  return conditions;
}

}  // namespace

Kubelet::Kubelet(Context& context, kube::FakeApiServer& api, Callbacks callbacks)
    : context_(context), api_(api), callbacks_(std::move(callbacks)) {}

void Kubelet::later(const base::ObjectKey& pod, absl::Duration delay, void (Kubelet::*what)(SimPod&)) {
  context_.schedule.after(delay, [this, pod, what] {
    if (auto known = pods_.find(pod); known != pods_.end()) (this->*what)(known->second);
  });
}

void Kubelet::deployment_changed(const base::ObjectKey& key) {
  if (std::exchange(sync_due_[key], true)) return;
  context_.schedule.after(context_.between(absl::Milliseconds(20), absl::Milliseconds(400)), [this, key] {
    sync_due_[key] = false;
    sync(key);
  });
}

void Kubelet::sync(const base::ObjectKey& deployment) {
  const auto object = api_.get(kube::resources::deployments(), deployment);
  const int wanted = object ? static_cast<int>(kube::int_at(*object, {"spec", "replicas"}, 1)) : 0;
  const std::string uid = object ? kube::string_at(*object, {"metadata", "uid"}) : "";
  std::vector<SimPod*> present;
  for (auto& [key, pod] : pods_) {
    if (pod.revision != deployment.name || key.ns != deployment.ns || pod.deleting || pod.failed) continue;
    if (pod.owner == uid) {
      present.push_back(&pod);
    } else {
      pod.scaled_away = true;
      remove(pod);
    }
  }
  for (int i = static_cast<int>(present.size()); i < wanted; ++i) make_pod(deployment, *object);
  // Those that do not serve go first.
  std::stable_sort(present.begin(), present.end(),
                   [](const SimPod* a, const SimPod* b) { return a->ready < b->ready; });
  for (size_t i = 0; i + static_cast<size_t>(wanted) < present.size(); ++i) {
    present[i]->scaled_away = true;
    remove(*present[i]);
  }
  write_status(deployment);
}

void Kubelet::make_pod(const base::ObjectKey& deployment, const Json& object) {
  SimPod pod;
  pod.key = {deployment.ns, base::cat(deployment.name, "-", ++made_)};
  pod.revision = deployment.name;
  pod.owner = kube::string_at(object, {"metadata", "uid"});
  pod.version = kube::string_at(object, {"metadata", "annotations", operator_::kVersionAnnotation});
  const base::ObjectKey key = pod.key;
  pods_.emplace(key, std::move(pod));
  write(pods_.at(key));
  later(key, context_.between(absl::Milliseconds(50), absl::Milliseconds(500)), &Kubelet::place);
}

void Kubelet::place(SimPod& pod) {
  if (pod.deleting || pod.node >= 0) return;
  std::array<int, kNodes> load{};
  for (const auto& [key, other] : pods_) {
    if (other.node >= 0 && !other.failed) ++load[static_cast<size_t>(other.node)];
  }
  int best = -1;
  for (int node = 0; node < kNodes; ++node) {
    const auto at = static_cast<size_t>(node);
    if (lost_[at] || load[at] >= pods_per_node) continue;
    if (best < 0 || load[at] < load[static_cast<size_t>(best)]) best = node;
  }
  if (best < 0) {
    if (!std::exchange(pod.unschedulable, true)) write(pod);
    later(pod.key, absl::Seconds(3), &Kubelet::place);
    return;
  }
  pod.node = best;
  pod.unschedulable = false;
  pod.ip = base::cat("10.2.", by_ip_.size() / 250, ".", by_ip_.size() % 250 + 1);  // never one twice
  by_ip_[pod.ip] = pod.key;
  write(pod);
  const bool slow = context_.chance(0.1);
  const absl::Duration start = context_.between(absl::Seconds(1), slow ? absl::Seconds(90) : absl::Seconds(5));
  later(pod.key, start + behaviours[pod.version].load, &Kubelet::load);
}

void Kubelet::load(SimPod& pod) {
  if (pod.deleting || pod.failed || pod.alive || lost_[static_cast<size_t>(pod.node)]) return;
  const Behaviour& behaviour = behaviours[pod.version];
  if (behaviour.fails_to_load || behaviour.crashes) return fail_to_start(pod);
  become_ready(pod);
}

void Kubelet::become_ready(SimPod& pod) {
  set_alive(pod, true);
  pod.ready = pod.containers_ready = true;
  write(pod);
  deployment_changed({pod.key.ns, pod.revision});
}

void Kubelet::fail_to_start(SimPod& pod) {
  ++pod.restarts;
  if (behaviours[pod.version].fails_to_load) {
    pod.last_words = R"({"error":"ModelLoadFailed","message":"no MetaGraph with the tag serve"})";
  }
  write(pod);
  later(pod.key, absl::Seconds(10) * std::min(pod.restarts, 20), &Kubelet::load);
}

void Kubelet::remove(SimPod& pod) {
  if (std::exchange(pod.deleting, true)) return;
  write(pod);
  later(pod.key, kPreStop + context_.between(absl::ZeroDuration(), absl::Seconds(2)), &Kubelet::end_process);
}

void Kubelet::end_process(SimPod& pod) {
  set_alive(pod, false);
  pod.ready = pod.containers_ready = false;
  write(pod);
  later(pod.key, context_.between(absl::Milliseconds(100), absl::Seconds(2)), &Kubelet::disappear);
}

void Kubelet::disappear(SimPod& pod) {
  const base::ObjectKey key = pod.key;
  const base::ObjectKey deployment{key.ns, pod.revision};
  set_alive(pod, false);
  pods_.erase(key);
  if (api_.get(kube::resources::pods(), key)) api_.erase(kube::resources::pods(), key);
  callbacks_.on_shown(deployment);
  deployment_changed(deployment);
}

void Kubelet::set_alive(SimPod& pod, bool alive) {
  if (pod.alive == alive) return;
  callbacks_.before_change();
  pod.alive = alive;
}

void Kubelet::write(const SimPod& pod) {
  Json labels = {{operator_::kManagedByLabel, operator_::kManagedByValue},
                 {operator_::kDeploymentLabel, pod.revision.substr(0, pod.revision.rfind('-'))},
                 {operator_::kRevisionLabel, pod.revision}};
  Json status = {{"phase", pod.failed                       ? "Failed"
                           : pod.node < 0 || pod.ip.empty() ? "Pending"
                                                            : "Running"},
                 {"conditions", conditions(pod)},
                 {"containerStatuses", Json::array({runtime_status(pod)})}};
  if (!pod.ip.empty()) status["podIP"] = pod.ip;
  if (pod.alive || pod.restarts > 0) status["initContainerStatuses"] = Json::array({fetch_status()});
  if (pod.failed) status["reason"] = "Evicted";
  Json metadata = {{"name", pod.key.name}, {"namespace", pod.key.ns}, {"labels", labels}};
  if (pod.deleting) {
    const auto known = api_.get(kube::resources::pods(), pod.key);
    const std::string marked = known ? kube::string_at(*known, {"metadata", "deletionTimestamp"}) : "";
    metadata["deletionTimestamp"] = marked.empty() ? kube::format_time(context_.now() + absl::Seconds(30)) : marked;
  }
  Json spec = Json::object();
  if (pod.node >= 0) spec["nodeName"] = base::cat("node-", pod.node + 1);
  api_.put(kube::resources::pods(), {{"metadata", metadata}, {"spec", spec}, {"status", status}});
  callbacks_.on_shown({pod.key.ns, pod.revision});
}

void Kubelet::write_status(const base::ObjectKey& deployment) {
  auto object = api_.get(kube::resources::deployments(), deployment);
  if (!object) return;
  int replicas = 0;
  int ready = 0;
  for (const auto& [key, pod] : pods_) {
    if (pod.revision != deployment.name || key.ns != deployment.ns || pod.deleting || pod.failed) continue;
    ++replicas;
    if (pod.ready) ++ready;
  }
  (*object)["status"] = {{"observedGeneration", kube::int_at(*object, {"metadata", "generation"})},
                         {"replicas", replicas},
                         {"updatedReplicas", replicas},
                         {"readyReplicas", ready},
                         {"availableReplicas", ready}};
  api_.put(kube::resources::deployments(), *object);
}

void Kubelet::owner_gone(const std::string& uid) {
  const auto owned = [&](const Json& object) {
    const Json& owners = kube::array_at(object, {"metadata", "ownerReferences"});
    return std::any_of(owners.begin(), owners.end(),
                       [&](const Json& owner) { return kube::string_at(owner, {"uid"}) == uid; });
  };
  const absl::Duration slowest = context_.chance(0.2) ? kSlowestCollection : absl::Seconds(4);
  for (const auto& resource :
       {kube::resources::deployments(), kube::resources::services(), kube::resources::config_maps()}) {
    for (const Json& object : api_.all(resource)) {
      if (!owned(object)) continue;
      const base::ObjectKey key{kube::string_at(object, {"metadata", "namespace"}),
                                kube::string_at(object, {"metadata", "name"})};
      const std::string owned_uid = kube::string_at(object, {"metadata", "uid"});
      context_.schedule.after(context_.between(absl::Milliseconds(50), slowest),
                              [this, resource = resource, key, owned_uid] {
                                const auto present = api_.get(resource, key);
                                if (!present || kube::string_at(*present, {"metadata", "uid"}) != owned_uid) return;
                                api_.erase(resource, key);
                                if (resource == kube::resources::deployments()) deployment_changed(key);
                              });
    }
  }
}

SimPod* Kubelet::pick_running() {
  std::vector<SimPod*> running;
  for (auto& [key, pod] : pods_) {
    if (pod.alive && !pod.deleting) running.push_back(&pod);
  }
  return running.empty() ? nullptr : running[static_cast<size_t>(context_.pick(static_cast<int>(running.size())))];
}

void Kubelet::evict_one() {
  SimPod* pod = pick_running();
  if (pod == nullptr) return;
  context_.note("fault", base::cat("node-", pod->node + 1, " evicts ", pod->key.name));
  set_alive(*pod, false);
  pod->failed = true;
  pod->ready = pod->containers_ready = false;
  write(*pod);
  deployment_changed({pod->key.ns, pod->revision});
  later(pod->key, absl::Minutes(2), &Kubelet::disappear);
}

void Kubelet::delete_one() {
  SimPod* pod = pick_running();
  if (pod == nullptr) return;
  context_.note("fault", base::cat("somebody deletes ", pod->key.name, " by force"));
  disappear(*pod);
}

void Kubelet::crash_one() {
  SimPod* pod = pick_running();
  if (pod == nullptr || pod->restarts > 0) return;
  context_.note("fault", base::cat(pod->key.name, " crashes"));
  set_alive(*pod, false);
  pod->ready = pod->containers_ready = false;
  ++pod->restarts;
  write(*pod);
  later(pod->key, context_.between(absl::Seconds(1), absl::Seconds(12)), &Kubelet::load);
}

void Kubelet::lose_node(absl::Duration duration) {
  const int node = context_.pick(kNodes);
  context_.note("fault", base::cat("node-", node + 1, " is lost for ", absl::FormatDuration(duration)));
  lost_[static_cast<size_t>(node)] = true;
  for (auto& [key, pod] : pods_) {
    if (pod.node != node) continue;
    set_alive(pod, false);
    // The node controller notices, and gives the pods up some minutes later.
    later(key, context_.between(absl::Seconds(10), absl::Seconds(40)), &Kubelet::notice_loss);
    later(key, context_.between(absl::Minutes(2), absl::Minutes(5)), &Kubelet::give_up);
  }
  context_.schedule.after(duration, [this, node] {
    lost_[static_cast<size_t>(node)] = false;
    context_.note("world", base::cat("node-", node + 1, " is back"));
    for (auto& [key, pod] : pods_) {
      if (pod.node == node) later(key, context_.between(absl::Seconds(2), absl::Seconds(8)), &Kubelet::load);
    }
  });
}

void Kubelet::notice_loss(SimPod& pod) {
  if (pod.alive || !pod.ready) return;
  pod.ready = false;
  write(pod);
  deployment_changed({pod.key.ns, pod.revision});
}

void Kubelet::give_up(SimPod& pod) {
  if (!lost_[static_cast<size_t>(pod.node)]) return;
  disappear(pod);
}

const SimPod* Kubelet::at_address(const std::string& ip) const {
  const auto key = by_ip_.find(ip);
  if (key == by_ip_.end()) return nullptr;
  const auto pod = pods_.find(key->second);
  return pod == pods_.end() ? nullptr : &pod->second;
}

int Kubelet::serving(const std::string& revision) const {
  const std::string object = revision.substr(0, revision.rfind('-') + 1);
  int ready = 0;
  int by_last_word = 0;
  bool any_ready = false;
  for (const auto& [key, pod] : pods_) {
    if (pod.deleting || pod.failed || !pod.revision.starts_with(object)) continue;
    any_ready = any_ready || pod.ready;
    if (pod.revision != revision) continue;
    if (pod.ready) ++ready;
    if (pod.containers_ready) ++by_last_word;
  }
  return any_ready ? ready : by_last_word;
}

}  // namespace tidegate::sim
