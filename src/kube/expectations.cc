#include "kube/expectations.h"

#include <algorithm>

#include "base/log.h"

namespace tidegate::kube {

void Expectations::wrote(const base::ObjectKey& key, const StorePosition& store, const base::ObjectKey& object,
                         std::string_view resource_version) {
  const uint64_t version = resource_version_number(resource_version);
  // No version: nothing that could be waited for.
  if (version == 0) return;
  pending_[key].push_back({&store, object, version, "", clock_.uptime()});
}

void Expectations::deleted(const base::ObjectKey& key, const StorePosition& store, const base::ObjectKey& object,
                           std::string_view uid) {
  pending_[key].push_back({&store, object, 0, std::string(uid), clock_.uptime()});
}

bool Expectations::ready(const base::ObjectKey& key) {
  auto found = pending_.find(key);
  if (found == pending_.end()) return true;
  std::erase_if(found->second, [&](const Expected& expected) { return is_met(expected) || is_overdue(key, expected); });
  if (!found->second.empty()) return false;
  pending_.erase(found);
  return true;
}

bool Expectations::is_met(const Expected& expected) const {
  if (expected.resource_version != 0) return expected.store->has_reached(expected.object, expected.resource_version);
  return expected.store->is_gone_or_leaving(expected.object, expected.uid);
}

bool Expectations::is_overdue(const base::ObjectKey& key, const Expected& expected) {
  if (clock_.uptime() - expected.since < give_up_) return false;
  ++given_up_;
  base::log_error("a write of ours does not show in the store; going on without it",
                  {{"key", key.to_string()},
                   {"written", expected.object.to_string()},
                   {"resourceVersion", expected.resource_version},
                   {"waited", absl::FormatDuration(clock_.uptime() - expected.since)}});
  return true;
}

}  // namespace tidegate::kube
