#pragma once
// Users' requests: a steady rate for each object, shared among the gateways, each sent where that gateway's applied
// configuration says and answered as the version behind it answers. Counted when something is about to change and when
// somebody looks, so the time in between costs nothing.
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "sim/context.h"
#include "sim/gateways.h"
#include "sim/kubelet.h"

namespace tidegate::sim {

enum class RequestFate {
  kAnswered,        // well, or with an error of the version's own
  kNoRoute,         // the gateway knows no such object, or nothing to send to
  kUnknownCluster,  // the gateway's routes name a cluster that it does not have
  kNobodyThere,     // no endpoint, or none of those tried answers
};

class Users {
 public:
  // `told`: how `count` requests to the cluster through the gateway went. Without a route it is "<object>/".
  using Told = std::function<void(const Envoy&, const std::string& cluster, RequestFate fate, uint64_t count)>;
  Users(Context& context, const Gateways& gateways, const Kubelet& kubelet, Told told)
      : context_(context), gateways_(gateways), kubelet_(kubelet), told_(std::move(told)) {}

  std::map<std::string, double> requests_per_second;  // by "<namespace>/<name>"
  // Sends the requests of the time since the last call.
  void catch_up();

  uint64_t requests() const { return requests_; }
  uint64_t errors() const { return errors_; }          // of the versions' own
  uint64_t unanswered() const { return unanswered_; }  // nobody there

 private:
  void send(Envoy& envoy, const AppliedRoute& route, uint64_t count);
  void send_to(Envoy& envoy, const std::string& cluster, uint64_t count);

  Context& context_;
  const Gateways& gateways_;
  const Kubelet& kubelet_;
  Told told_;
  absl::Time until_ = Context::start();
  double carry_ = 0;
  uint64_t requests_ = 0;
  uint64_t errors_ = 0;
  uint64_t unanswered_ = 0;
};

}  // namespace tidegate::sim
