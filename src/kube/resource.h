#pragma once
// Names: which collection of the API (GroupVersionResource) and the URL paths of its objects.
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::kube {

// One collection, e.g. {"apps", "v1", "deployments", "Deployment"}; the core group is "".
struct GroupVersionResource {
  std::string group;
  std::string version;
  std::string plural;
  std::string kind;
  bool namespaced = true;

  // "v1", "apps/v1": the apiVersion of its objects.
  std::string api_version() const;
  // "/api/v1/namespaces/<ns>/<plural>[/<name>[/<subresource>]]", percent-encoded. An empty `ns` means all namespaces
  // (or a cluster-scoped collection, for which `ns` is ignored).
  std::string path(std::string_view ns, std::string_view name = "", std::string_view subresource = "") const;

  friend bool operator==(const GroupVersionResource&, const GroupVersionResource&) = default;
};

// A resourceVersion as a number, 0 when it is empty or not one. Versions of one collection grow with every write
// (etcd's revision), which is what "the store has reached R" rests on.
uint64_t resource_version_number(std::string_view resource_version);

// The built-in collections that Tidegate uses.
namespace resources {
const GroupVersionResource& pods();
const GroupVersionResource& services();
const GroupVersionResource& service_accounts();
const GroupVersionResource& secrets();
const GroupVersionResource& config_maps();
const GroupVersionResource& nodes();
const GroupVersionResource& namespaces();
const GroupVersionResource& deployments();
const GroupVersionResource& leases();
const GroupVersionResource& events();           // events.k8s.io/v1
const GroupVersionResource& endpoint_slices();  // discovery.k8s.io/v1
const GroupVersionResource& pod_disruption_budgets();
}  // namespace resources

}  // namespace tidegate::kube
