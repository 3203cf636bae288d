#include "operator/observers/gateways.h"

#include <algorithm>

#include "base/strings.h"

namespace tidegate::operator_ {
namespace {

// What the proxy itself told this replica. A pod may have two streams for a moment while it reconnects; one of them may
// be that of a process that is no more, so the lower one counts.
void add_acknowledgements(const xds::ServerStatus& xds, GatewayState& gateway) {
  const traffic::AppliedVersion* acknowledged = nullptr;
  for (const xds::NodeStatus& node : xds.nodes) {
    if (node.node_id != gateway.name) continue;
    if (acknowledged == nullptr || node.applied.resource_version < acknowledged->resource_version) {
      acknowledged = &node.applied;
    }
    gateway.rejections.insert(gateway.rejections.end(), node.rejections.begin(), node.rejections.end());
  }
  if (acknowledged != nullptr && acknowledged->resource_version >= gateway.applied.resource_version) {
    gateway.applied = *acknowledged;
  }
}

std::string rejection_of(const std::string& object, const GatewayState& gateway) {
  for (const xds::Rejection& rejection : gateway.rejections) {
    if (rejection.object == object || rejection.object.empty()) return rejection.message;
  }
  return "it refused what it was sent; the reason is in the status of the replica that serves it";
}

// It has never had a container, so it sends nothing; when it starts it is told the present.
bool has_not_begun(const kube::Pod& pod) {
  return pod.phase == "Pending" && pod.ip.empty() && container_id(pod).empty();
}

bool refuses(const std::string& object, const GatewayState& gateway) {
  const std::vector<std::string>& without = gateway.applied.without;
  return std::find(without.begin(), without.end(), object) != without.end() ||
         std::any_of(gateway.rejections.begin(), gateway.rejections.end(), [&](const xds::Rejection& rejection) {
           return rejection.object == object || rejection.object.empty();
         });
}

}  // namespace

std::vector<GatewayState> gateway_states(const std::vector<std::shared_ptr<const kube::Pod>>& pods,
                                         const std::map<std::string, GatewayReading>& readings,
                                         const xds::ServerStatus& xds, absl::Time now) {
  std::vector<GatewayState> gateways;
  for (const auto& pod : pods) {
    if (is_gone_for_good(*pod) || has_not_begun(*pod)) continue;
    GatewayState gateway;
    gateway.name = pod->meta.name;
    gateway.ready = pod->ready && !pod->meta.deleted;
    if (auto reading = readings.find(gateway.name); reading != readings.end()) {
      const bool same_process = reading->second.instance == container_id(*pod);
      if (same_process) gateway.applied = reading->second.applied;
      gateway.unreachable_since = reading->second.unreachable_since;
    }
    add_acknowledgements(xds, gateway);
    gateway.excluded =
        !gateway.ready && gateway.unreachable_since && now - *gateway.unreachable_since >= kGatewayGivenUpAfter;
    gateways.push_back(std::move(gateway));
  }
  return gateways;
}

std::vector<rollout::Proxy> proxies_for(const std::string& object, const std::vector<GatewayState>& gateways) {
  std::vector<rollout::Proxy> proxies;
  for (const GatewayState& gateway : gateways) {
    rollout::Proxy proxy{
        gateway.name, gateway.ready, gateway.applied.resource_version, gateway.unreachable_since, gateway.excluded, ""};
    if (refuses(object, gateway)) {
      proxy.applied_resource_version = 0;
      proxy.rejection = rejection_of(object, gateway);
    }
    proxies.push_back(std::move(proxy));
  }
  return proxies;
}

std::optional<uint64_t> applied_by_all(const std::vector<GatewayState>& gateways) {
  std::optional<uint64_t> lowest;
  for (const GatewayState& gateway : gateways) {
    if (gateway.excluded) continue;
    lowest = std::min(lowest.value_or(gateway.applied.resource_version), gateway.applied.resource_version);
  }
  return lowest;
}

std::optional<rollout::MeasurementError> measurement_error(const std::vector<GatewayState>& gateways,
                                                           const std::map<std::string, GatewayReading>& readings) {
  std::optional<rollout::MeasurementError> error;
  for (const GatewayState& gateway : gateways) {
    if (!gateway.ready || !gateway.unreachable_since) continue;
    if (error && error->since <= *gateway.unreachable_since) continue;
    auto reading = readings.find(gateway.name);
    const std::string why = reading == readings.end() ? "" : reading->second.error;
    error = {base::cat("the statistics of gateway ", gateway.name, " cannot be read: ", why),
             *gateway.unreachable_since};
  }
  return error;
}

}  // namespace tidegate::operator_
