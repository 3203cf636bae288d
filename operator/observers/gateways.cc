#include "operator/observers/gateways.h"

#include <algorithm>

#include "base/strings.h"

namespace tidegate::operator_ {
namespace {

// What the proxy itself told this replica. A pod may have two streams for a moment while it reconnects; one of them may
// be that of a process that is no more, so the lower one counts.
void add_acknowledgements(const xds::ServerStatus& xds, rollout::Proxy& proxy) {
  std::optional<uint64_t> acknowledged;
  for (const xds::NodeStatus& node : xds.nodes) {
    if (node.node_id != proxy.name) continue;
    const uint64_t applied = node.applied_resource_version();
    acknowledged = std::min(acknowledged.value_or(applied), applied);
    for (const xds::TypeStatus& type : node.types) {
      if (type.rejection) proxy.rejection = type.rejection->message;
    }
  }
  proxy.applied_resource_version = std::max(proxy.applied_resource_version, acknowledged.value_or(0));
}

}  // namespace

std::vector<rollout::Proxy> proxies(const std::vector<std::shared_ptr<const kube::Pod>>& pods,
                                    const std::map<std::string, GatewayReading>& readings, const xds::ServerStatus& xds,
                                    absl::Time now) {
  std::vector<rollout::Proxy> proxies;
  for (const auto& pod : pods) {
    if (is_gone_for_good(*pod)) continue;
    rollout::Proxy proxy;
    proxy.name = pod->meta.name;
    proxy.ready = pod->ready && !pod->meta.deleted;
    if (auto reading = readings.find(proxy.name); reading != readings.end()) {
      const bool same_process = reading->second.instance == container_id(*pod);
      if (same_process) proxy.applied_resource_version = reading->second.applied_resource_version;
      proxy.unreachable_since = reading->second.unreachable_since;
    }
    add_acknowledgements(xds, proxy);
    proxy.excluded = !proxy.ready && proxy.unreachable_since && now - *proxy.unreachable_since >= kGatewayGivenUpAfter;
    proxies.push_back(std::move(proxy));
  }
  return proxies;
}

std::optional<rollout::MeasurementError> measurement_error(const std::vector<rollout::Proxy>& proxies,
                                                           const std::map<std::string, GatewayReading>& readings) {
  std::optional<rollout::MeasurementError> error;
  for (const rollout::Proxy& proxy : proxies) {
    if (!proxy.ready || !proxy.unreachable_since) continue;
    if (error && error->since <= *proxy.unreachable_since) continue;
    auto reading = readings.find(proxy.name);
    const std::string why = reading == readings.end() ? "" : reading->second.error;
    error = {base::cat("the statistics of gateway ", proxy.name, " cannot be read: ", why), *proxy.unreachable_since};
  }
  return error;
}

}  // namespace tidegate::operator_
