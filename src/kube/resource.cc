#include "kube/resource.h"

#include <absl/strings/numbers.h>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

// Names are DNS labels but for a few kinds (RBAC names hold ':'); whatever else comes must not change the path.
std::string escape(std::string_view segment) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : segment) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (plain) {
      escaped += c;
    } else {
      escaped += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return escaped;
}

}  // namespace

std::string GroupVersionResource::api_version() const {
  return group.empty() ? version : base::cat(group, "/", version);
}

std::string GroupVersionResource::path(std::string_view ns, std::string_view name, std::string_view subresource) const {
  std::string path = group.empty() ? base::cat("/api/", version) : base::cat("/apis/", group, "/", version);
  if (namespaced && !ns.empty()) path += base::cat("/namespaces/", escape(ns));
  path += base::cat("/", plural);
  if (!name.empty()) path += base::cat("/", escape(name));
  if (!subresource.empty()) path += base::cat("/", escape(subresource));
  return path;
}

uint64_t resource_version_number(std::string_view resource_version) {
  uint64_t number = 0;
  return absl::SimpleAtoi(base::absl_view(resource_version), &number) ? number : 0;
}

namespace resources {

const GroupVersionResource& pods() {
  static const GroupVersionResource resource{"", "v1", "pods", "Pod"};
  return resource;
}

const GroupVersionResource& services() {
  static const GroupVersionResource resource{"", "v1", "services", "Service"};
  return resource;
}

const GroupVersionResource& service_accounts() {
  static const GroupVersionResource resource{"", "v1", "serviceaccounts", "ServiceAccount"};
  return resource;
}

const GroupVersionResource& secrets() {
  static const GroupVersionResource resource{"", "v1", "secrets", "Secret"};
  return resource;
}

const GroupVersionResource& config_maps() {
  static const GroupVersionResource resource{"", "v1", "configmaps", "ConfigMap"};
  return resource;
}

const GroupVersionResource& nodes() {
  static const GroupVersionResource resource{"", "v1", "nodes", "Node", false};
  return resource;
}

const GroupVersionResource& namespaces() {
  static const GroupVersionResource resource{"", "v1", "namespaces", "Namespace", false};
  return resource;
}

const GroupVersionResource& deployments() {
  static const GroupVersionResource resource{"apps", "v1", "deployments", "Deployment"};
  return resource;
}

const GroupVersionResource& leases() {
  static const GroupVersionResource resource{"coordination.k8s.io", "v1", "leases", "Lease"};
  return resource;
}

const GroupVersionResource& events() {
  static const GroupVersionResource resource{"events.k8s.io", "v1", "events", "Event"};
  return resource;
}

const GroupVersionResource& endpoint_slices() {
  static const GroupVersionResource resource{"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"};
  return resource;
}

const GroupVersionResource& pod_disruption_budgets() {
  static const GroupVersionResource resource{"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"};
  return resource;
}

}  // namespace resources
}  // namespace tidegate::kube
