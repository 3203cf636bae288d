#include "traffic/snapshot.h"

#include <charconv>

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
  }
  return "";
}

uint64_t resource_version_of(std::string_view version) {
  uint64_t number = 0;
  const char* end = version.data() + version.size();
  const auto [parsed, error] = std::from_chars(version.data(), end, number);
  if (error != std::errc() || parsed == end || *parsed != '-') return 0;
  return number;
}

}  // namespace tidegate::traffic
