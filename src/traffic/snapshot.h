// Everything that the gateways are to know, at one moment: immutable, shared between threads, made by traffic::build
// and served by xds::Server. Resources are kept as serialised protobuf, so whoever only passes a Snapshot on does not
// need Envoy's protocol definitions.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "traffic/program.h"

namespace tidegate::traffic {

enum class ResourceType { kCluster, kEndpoints, kListener, kRoutes };
inline constexpr std::array kResourceTypes = {ResourceType::kCluster, ResourceType::kEndpoints, ResourceType::kListener,
                                              ResourceType::kRoutes};

// "type.googleapis.com/envoy.config.cluster.v3.Cluster" and so on.
std::string_view type_url(ResourceType type);

struct ResourceSet {
  // "<resourceVersion>-<hash of the content>". The number is Snapshot::resource_version when the content last changed;
  // for kRoutes it is always the present one.
  std::string version;
  std::map<std::string, std::string> resources;  // name → serialised message
};

struct Snapshot {
  std::array<ResourceSet, 4> sets;  // indexed by ResourceType

  // The highest resourceVersion among the programs of this and all earlier snapshots: the number in the version of
  // kRoutes. A weight that was written to the API at R is in force on a proxy that has applied a version ≥ R.
  uint64_t resource_version = 0;
  // Every change of every object up to here has been seen (≥ resource_version). A proxy that presents a higher number
  // has been served by a replica that knows more.
  uint64_t caught_up_to = 0;

  // What each object, by uid, was last programmed with successfully; the next build falls back to it.
  std::map<std::string, std::shared_ptr<const Program>> last_good;

  const ResourceSet& set(ResourceType type) const { return sets[static_cast<size_t>(type)]; }
};

// The number at the front of a ResourceSet's version; 0 if there is none.
uint64_t resource_version_of(std::string_view version);

}  // namespace tidegate::traffic
