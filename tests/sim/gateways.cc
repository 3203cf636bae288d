#include "sim/gateways.h"

#include <utility>

#include "base/strings.h"
#include "operator/rendering/names.h"

namespace tidegate::sim {
namespace {

using kube::Json;

constexpr char kNamespace[] = "tidegate-system";

}  // namespace

void Gateways::add() {
  const std::string name = base::cat("gateway-", ++made_);
  Envoy::Callbacks callbacks = callbacks_;
  // Readiness follows what it has applied.
  callbacks.on_applied = [this, name, told = callbacks_.on_applied] {
    told();
    write_soon(name);
  };
  Pod& pod = pods_[name];
  pod.envoy = std::make_unique<Envoy>(context_, name, base::cat("10.1.0.", made_), std::move(callbacks));
  write(pod);
  context_.schedule.after(context_.between(absl::Milliseconds(500), absl::Seconds(3)), [this, name] {
    Pod& known = pods_.at(name);
    if (known.deleting) return;
    context_.note(name, "starts");
    known.envoy->start();
    write_soon(name);
  });
}

void Gateways::restart(Envoy& envoy) {
  Pod& pod = pods_.at(envoy.pod());
  if (pod.deleting || !envoy.running()) return;
  context_.note(envoy.pod(), "restarts: its configuration and counts are gone");
  envoy.stop();
  const std::string name = envoy.pod();
  context_.schedule.after(context_.between(absl::Milliseconds(200), absl::Seconds(3)), [this, name] {
    Pod& known = pods_.at(name);
    if (known.deleting) return;
    ++known.restarts;
    known.envoy->start();
    // Nobody reaches it before the kubelet has told of the new container.
    write(known);
  });
}

void Gateways::replace(Envoy& envoy) {
  Pod& pod = pods_.at(envoy.pod());
  if (pod.deleting) return;
  context_.note(envoy.pod(), "is replaced");
  add();
  const std::string name = envoy.pod();
  context_.schedule.after(context_.between(absl::Seconds(3), absl::Seconds(20)), [this, name] {
    Pod& known = pods_.at(name);
    known.deleting = true;
    write(known);
    context_.schedule.after(context_.between(absl::Seconds(2), absl::Seconds(15)), [this, name] {
      Pod& leaving = pods_.at(name);
      leaving.envoy->stop();
      write(leaving);
      context_.schedule.after(context_.between(absl::Milliseconds(200), absl::Seconds(2)), [this, name] {
        pods_.at(name).gone = true;
        api_.erase(kube::resources::pods(), {kNamespace, name});
        context_.note(name, "is gone");
      });
    });
  });
}

void Gateways::write_soon(const std::string& name) {
  context_.schedule.after(context_.between(absl::Milliseconds(50), absl::Milliseconds(800)), [this, name] {
    if (!pods_.at(name).gone) write(pods_.at(name));
  });
}

void Gateways::write(Pod& pod) {
  const Envoy& envoy = *pod.envoy;
  const bool runs = envoy.running();
  Json container = {{"name", "envoy"}, {"ready", runs && envoy.has_routes()}, {"restartCount", pod.restarts}};
  if (runs) {
    container["containerID"] = base::cat("c-", envoy.pod(), "-", envoy.life());
    container["state"] = {{"running", Json::object()}};
  } else if (envoy.life() > 0) {
    container["containerID"] = base::cat("c-", envoy.pod(), "-", envoy.life());
    container["state"] = {{"terminated", {{"exitCode", 0}}}};
  } else {
    container["state"] = {{"waiting", {{"reason", "ContainerCreating"}}}};
  }
  Json status = {{"phase", envoy.life() == 0 ? "Pending" : "Running"},
                 {"conditions", Json::array({{{"type", "Ready"}, {"status", container["ready"] ? "True" : "False"}}})},
                 {"containerStatuses", Json::array({container})}};
  if (envoy.life() > 0) status["podIP"] = envoy.ip();
  Json metadata = {
      {"name", envoy.pod()},
      {"namespace", kNamespace},
      {"labels",
       {{operator_::kPartOfLabel, operator_::kPartOfValue}, {operator_::kGatewayLabel, operator_::kGatewayValue}}}};
  if (pod.deleting) metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  Json object = {{"metadata", metadata}, {"status", status}};
  if (runs && pod.shown_life != envoy.life()) {
    pod.shown_life = envoy.life();
    pod.shown_at = context_.now();
  }
  if (const std::string text = object.dump(); std::exchange(pod.shown, text) == text) return;
  api_.put(kube::resources::pods(), object);
}

std::vector<Envoy*> Gateways::running() const {
  std::vector<Envoy*> running;
  for (const auto& [name, pod] : pods_) {
    if (pod.envoy->running()) running.push_back(pod.envoy.get());
  }
  return running;
}

Envoy* Gateways::at_address(const std::string& ip) const {
  for (const auto& [name, pod] : pods_) {
    if (pod.envoy->ip() == ip && pod.envoy->running()) return pod.envoy.get();
  }
  return nullptr;
}

Envoy* Gateways::pick() {
  const std::vector<Envoy*> present = running();
  return present.empty() ? nullptr : present[static_cast<size_t>(context_.pick(static_cast<int>(present.size())))];
}

absl::Time Gateways::shown_since(const Envoy& envoy) const {
  const Pod& pod = pods_.at(envoy.pod());
  return pod.shown_life == envoy.life() ? pod.shown_at : absl::InfiniteFuture();
}

}  // namespace tidegate::sim
