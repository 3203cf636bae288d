#include "operator/controllers/modeldeployment/traffic_versions.h"

#include <algorithm>
#include <utility>

#include "kube/resource.h"

namespace tidegate::operator_ {

void TrafficVersions::saw(const base::ObjectKey& key, const api::ModelDeployment& object, Continuity continuity,
                          absl::Duration uptime) {
  Written& written = written_[key];
  const bool known = written.uid == object.metadata.uid && continuity == Continuity::kUnbroken;
  if (!known || written.traffic != object.status.traffic) {
    unconfirmed_.erase({written.resource_version, key});
    written.uid = object.metadata.uid;
    written.traffic = object.status.traffic;
    written.resource_version = kube::resource_version_number(object.metadata.resource_version);
    if (!written.traffic.empty()) highest_ = std::max(highest_, written.resource_version);
    if (known) unconfirmed_[{written.resource_version, key}] = uptime;
  }
  std::vector<uint64_t> versions = {written.resource_version};
  for (const api::DrainingStatus& draining : object.status.draining) {
    versions.push_back(kube::resource_version_number(draining.verified_resource_version));
  }
  await(key, written, std::move(versions));
}

void TrafficVersions::await(const base::ObjectKey& key, Written& written, std::vector<uint64_t> versions) {
  if (written.awaited == versions) return;
  for (const uint64_t version : written.awaited) waits_.erase({version, key});
  for (const uint64_t version : versions) waits_.emplace(version, key);
  written.awaited = std::move(versions);
}

void TrafficVersions::forget(const base::ObjectKey& key) {
  const auto known = written_.find(key);
  if (known == written_.end()) return;
  await(key, known->second, {});
  unconfirmed_.erase({known->second.resource_version, key});
  written_.erase(known);
}

std::vector<base::ObjectKey> TrafficVersions::waiting(uint64_t before, uint64_t now) const {
  std::vector<base::ObjectKey> keys;
  for (auto wait = waits_.upper_bound({before + 1, base::ObjectKey{}}); wait != waits_.end() && wait->first <= now;
       ++wait) {
    keys.push_back(wait->second);
  }
  return keys;
}

std::vector<absl::Duration> TrafficVersions::confirmed(uint64_t applied, absl::Duration uptime) {
  std::vector<absl::Duration> took;
  auto next = unconfirmed_.begin();
  for (; next != unconfirmed_.end() && next->first.first <= applied; ++next) took.push_back(uptime - next->second);
  unconfirmed_.erase(unconfirmed_.begin(), next);
  return took;
}

uint64_t TrafficVersions::of(const base::ObjectKey& key) const {
  auto found = written_.find(key);
  return found == written_.end() || found->second.traffic.empty() ? 0 : found->second.resource_version;
}

}  // namespace tidegate::operator_
