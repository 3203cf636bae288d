#include "operator/controllers/modeldeployment/traffic_versions.h"

#include <algorithm>

namespace tidegate::operator_ {

void TrafficVersions::saw(const kube::ObjectKey& key, const api::ModelDeployment& object, absl::Duration uptime) {
  Written& written = written_[key];
  const bool known = written.uid == object.metadata.uid;
  if (known && written.traffic == object.status.traffic) return;
  written = {object.metadata.uid, object.status.traffic,
             kube::resource_version_number(object.metadata.resource_version), std::nullopt};
  if (!written.traffic.empty()) highest_ = std::max(highest_, written.resource_version);
  if (known) written.unconfirmed_since = uptime;
}

std::vector<absl::Duration> TrafficVersions::confirmed(uint64_t applied, absl::Duration uptime) {
  std::vector<absl::Duration> took;
  for (auto& [key, written] : written_) {
    if (!written.unconfirmed_since || written.resource_version > applied) continue;
    took.push_back(uptime - *written.unconfirmed_since);
    written.unconfirmed_since.reset();
  }
  return took;
}

uint64_t TrafficVersions::of(const kube::ObjectKey& key) const {
  auto found = written_.find(key);
  return found == written_.end() || found->second.traffic.empty() ? 0 : found->second.resource_version;
}

}  // namespace tidegate::operator_
