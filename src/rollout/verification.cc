#include "rollout/verification.h"

namespace tidegate::rollout {

Verification verify(const Observed& observed) {
  Verification verification;
  verification.proxies = observed.proxies.size();
  // Then its last good shares are in force, whatever version the proxies have.
  const bool not_programmed = observed.traffic_error && observed.traffic_error->reason == "InvalidTraffic";
  for (const Proxy& proxy : observed.proxies) {
    if (proxy.excluded) {
      verification.excluded.push_back(proxy.name);
      continue;
    }
    if (verification.rejection.empty()) verification.rejection = proxy.rejection;
    const bool behind = proxy.applied_resource_version < observed.traffic_resource_version;
    if (behind || not_programmed) verification.behind.push_back(proxy.name);
  }
  verification.complete = verification.behind.empty() && !observed.status.traffic.empty() &&
                          observed.proxies.size() > verification.excluded.size();
  return verification;
}

}  // namespace tidegate::rollout
