#pragma once
// The gateways as the planner sees them: every pod that exists until its containers have ended, with the highest
// resourceVersion that it is known to have applied. Pure over what the stores, the xDS server and the scraper say.
#include <absl/time/time.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kube/types.h"
#include "operator/observers/gateway_scraper.h"
#include "rollout/observed.h"
#include "xds/server.h"

namespace tidegate::operator_ {

// A gateway that has been unreachable for so long, and is NotReady so that no Service sends to it, is named but not
// waited for.
inline constexpr absl::Duration kGatewayGivenUpAfter = absl::Minutes(5);

struct GatewayState {
  std::string name;  // the pod's
  bool ready = false;
  traffic::AppliedVersion applied;
  std::optional<absl::Time> unreachable_since;  // its statistics cannot be read
  bool excluded = false;                        // given up: named, not waited for
  std::vector<xds::Rejection> rejections;       // as far as this replica serves it

  friend bool operator==(const GatewayState&, const GatewayState&) = default;
};

// `readings` by pod name; those without one have not been asked yet.
std::vector<GatewayState> gateway_states(const std::vector<std::shared_ptr<const kube::Pod>>& pods,
                                         const std::map<std::string, GatewayReading>& readings,
                                         const xds::ServerStatus& xds, absl::Time now);

// The same as they matter to one object, "<namespace>/<name>": a gateway that refused what it was sent for the object
// has applied nothing of it.
std::vector<rollout::Proxy> proxies_for(const std::string& object, const std::vector<GatewayState>& gateways);

// What an object's planner is told of the gateways.
struct GatewayView {
  std::vector<rollout::Proxy> proxies;
  std::optional<rollout::MeasurementError> measurement_error;
};

// What all of them that are waited for have applied, of objects that none refuses; nullopt: there is none.
std::optional<uint64_t> applied_by_all(const std::vector<GatewayState>& gateways);

// Set while the counts of some Ready gateway cannot be read.
std::optional<rollout::MeasurementError> measurement_error(const std::vector<GatewayState>& gateways,
                                                           const std::map<std::string, GatewayReading>& readings);

}  // namespace tidegate::operator_
