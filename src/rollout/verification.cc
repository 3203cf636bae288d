#include "rollout/verification.h"

namespace tidegate::rollout {

Verification verify(const Observed& observed) {
  Verification verification;
  verification.proxies = observed.proxies.size();
  for (const Proxy& proxy : observed.proxies) {
    if (proxy.excluded) {
      verification.excluded.push_back(proxy.name);
      continue;
    }
    if (verification.rejection.empty()) verification.rejection = proxy.rejection;
    if (proxy.applied_resource_version < observed.traffic_resource_version) verification.behind.push_back(proxy.name);
  }
  verification.complete = verification.behind.empty() && !observed.status.traffic.empty() &&
                          observed.proxies.size() > verification.excluded.size();
  return verification;
}

}  // namespace tidegate::rollout
