#include "rollout/verification.h"

#include <algorithm>

#include "base/strings.h"

namespace tidegate::rollout {

namespace {

// Then its last good shares are in force, whatever version the proxies have.
bool not_programmed(const Observed& observed) {
  return observed.traffic_error && observed.traffic_error->reason == "InvalidTraffic";
}

}  // namespace

Verification verify(const Observed& observed) {
  Verification verification;
  verification.proxies = observed.proxies.size();
  for (const Proxy& proxy : observed.proxies) {
    if (proxy.excluded) {
      verification.excluded.push_back(proxy.name);
      continue;
    }
    if (verification.rejection.empty()) verification.rejection = proxy.rejection;
    const bool behind = proxy.applied_resource_version < observed.traffic_resource_version;
    if (behind || not_programmed(observed)) verification.behind.push_back(proxy.name);
  }
  verification.complete = verification.behind.empty() && !observed.status.traffic.empty() &&
                          observed.proxies.size() > verification.excluded.size();
  return verification;
}

bool all_have_applied(const Observed& observed, uint64_t resource_version) {
  return !not_programmed(observed) &&
         std::all_of(observed.proxies.begin(), observed.proxies.end(), [&](const Proxy& proxy) {
           return proxy.excluded || proxy.applied_resource_version >= resource_version;
         });
}

void confirm_zero(const Draft& draft, api::DrainingStatus& draining) {
  draining.verified_at = draft.now();
  draining.verified_resource_version = base::cat(draft.observed.traffic_resource_version);
}

}  // namespace tidegate::rollout
