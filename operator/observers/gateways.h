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

// `readings` by pod name; those without one have not been asked yet.
std::vector<rollout::Proxy> proxies(const std::vector<std::shared_ptr<const kube::Pod>>& pods,
                                    const std::map<std::string, GatewayReading>& readings, const xds::ServerStatus& xds,
                                    absl::Time now);

// Set while the counts of some Ready gateway cannot be read.
std::optional<rollout::MeasurementError> measurement_error(const std::vector<rollout::Proxy>& proxies,
                                                           const std::map<std::string, GatewayReading>& readings);

}  // namespace tidegate::operator_
