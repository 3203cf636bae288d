// Everything that the gateways are to know, at one moment: immutable, shared between threads, made by traffic::build
// and served by xds::Server. Resources are kept as serialised protobuf, so whoever only passes a Snapshot on does not
// need Envoy's protocol definitions.
//
// Resources are grouped by the ModelDeployment that they belong to, and a group is shared by all snapshots in which it
// is the same: what changed between two snapshots is found by comparing pointers, and another snapshot of ten thousand
// objects costs ten thousand pointers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/object_key.h"
#include "traffic/program.h"

namespace tidegate::traffic {

enum class ResourceType { kCluster, kEndpoints, kListener, kRoutes, kVirtualHost };
inline constexpr std::array kResourceTypes = {ResourceType::kCluster, ResourceType::kEndpoints, ResourceType::kListener,
                                              ResourceType::kRoutes, ResourceType::kVirtualHost};

// "type.googleapis.com/envoy.config.cluster.v3.Cluster" and so on.
std::string_view type_url(ResourceType type);

// A cluster that stands for no pods: the version of its (no) endpoints, which the xDS server chooses for each proxy,
// says what the proxy has applied of everything else (applied_version.h).
inline constexpr char kVersionCluster[] = "tidegate/version";

struct Resource {
  std::string name;
  // A hash of the bytes; of a virtual host "<resourceVersion>-<hash>", with the resourceVersion that its
  // ModelDeployment had when the bytes last changed.
  std::string version;
  std::string bytes;  // serialised message

  friend bool operator==(const Resource&, const Resource&) = default;
};

struct ResourceGroup {
  base::ObjectKey owner;  // the ModelDeployment; empty, and sorted first: what belongs to nobody
  std::array<std::vector<Resource>, kResourceTypes.size()> resources;  // by type; each sorted by name

  const std::vector<Resource>& of(ResourceType type) const { return resources[static_cast<size_t>(type)]; }
  std::vector<Resource>& of(ResourceType type) { return resources[static_cast<size_t>(type)]; }
};

// Sorted by owner, no two of one.
using Groups = std::vector<std::shared_ptr<const ResourceGroup>>;

// Of one owner, where it is not the same in two snapshots; null: that one has none.
struct GroupChange {
  const ResourceGroup* before = nullptr;
  const ResourceGroup* after = nullptr;
};

// Sorted by owner. Whoever is the same in both costs the comparison of two pointers. Points into both.
std::vector<GroupChange> changed_groups(const Groups& before, const Groups& after);

// Whose resource it is, by its name as this folder makes it: "<namespace>/<name>/<revision>[/grpc]" of a cluster or its
// endpoints, "tidegate/<namespace>.<name>" of a virtual host. The others belong to nobody: an empty key.
base::ObjectKey owner_of(ResourceType type, std::string_view resource_name);

struct Snapshot {
  Groups groups;

  // The highest resourceVersion among the programs of this and all earlier snapshots; when one of them was gone, at
  // least that up to which the store of objects was complete then. A weight that was written to the API at R is in
  // force on a proxy that has applied all of a snapshot with a number ≥ R.
  uint64_t resource_version = 0;
  // Every change of every object up to here has been seen (≥ resource_version). A proxy that presents a higher number
  // has been served by a replica that knows more.
  uint64_t caught_up_to = 0;

  // Null: there is none. O(log n).
  const ResourceGroup* find(const base::ObjectKey& owner) const;
  // Null: there is none.
  const Resource* find(ResourceType type, std::string_view name) const;
};

// The number at the front of a virtual host's version; 0 if there is none.
uint64_t resource_version_of(std::string_view version);

}  // namespace tidegate::traffic
