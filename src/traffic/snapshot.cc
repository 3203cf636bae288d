#include "traffic/snapshot.h"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace tidegate::traffic {

std::string_view type_url(ResourceType type) {
  switch (type) {
    case ResourceType::kCluster:
      return "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    case ResourceType::kEndpoints:
      return "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
    case ResourceType::kListener:
      return "type.googleapis.com/envoy.config.listener.v3.Listener";
    case ResourceType::kRoutes:
      return "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
    case ResourceType::kVirtualHost:
      return "type.googleapis.com/envoy.config.route.v3.VirtualHost";
  }
  return "";
}

base::ObjectKey owner_of(ResourceType type, std::string_view resource_name) {
  if (type == ResourceType::kListener || type == ResourceType::kRoutes || resource_name == kVersionCluster) return {};
  const size_t slash = resource_name.find('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view rest = resource_name.substr(slash + 1);
  if (type == ResourceType::kVirtualHost) {
    const size_t dot = rest.find('.');
    if (dot == std::string_view::npos) return {};
    return {std::string(rest.substr(0, dot)), std::string(rest.substr(dot + 1))};
  }
  return {std::string(resource_name.substr(0, slash)), std::string(rest.substr(0, rest.find('/')))};
}

std::vector<GroupChange> changed_groups(const Groups& before, const Groups& after) {
  std::vector<GroupChange> changes;
  auto old = before.begin();
  auto now = after.begin();
  while (true) {
    // Most are the same, and whose they are is not looked at.
    std::tie(old, now) = std::mismatch(old, before.end(), now, after.end());
    if (old == before.end() && now == after.end()) return changes;
    const bool only_old = now == after.end() || (old != before.end() && (*old)->owner < (*now)->owner);
    const bool only_now = !only_old && (old == before.end() || (*now)->owner < (*old)->owner);
    changes.push_back({only_now ? nullptr : (old++)->get(), only_old ? nullptr : (now++)->get()});
  }
}

const ResourceGroup* Snapshot::find(const base::ObjectKey& owner) const {
  const auto found =
      std::lower_bound(groups.begin(), groups.end(), owner,
                       [](const auto& group, const base::ObjectKey& wanted) { return group->owner < wanted; });
  return found == groups.end() || (*found)->owner != owner ? nullptr : found->get();
}

const Resource* Snapshot::find(ResourceType type, std::string_view name) const {
  const ResourceGroup* group = find(owner_of(type, name));
  if (group == nullptr) return nullptr;
  for (const Resource& resource : group->of(type)) {
    if (resource.name == name) return &resource;
  }
  return nullptr;
}

uint64_t resource_version_of(std::string_view version) {
  uint64_t number = 0;
  const char* end = version.data() + version.size();
  const auto [parsed, error] = std::from_chars(version.data(), end, number);
  if (error != std::errc() || parsed == end || *parsed != '-') return 0;
  return number;
}

}  // namespace tidegate::traffic
