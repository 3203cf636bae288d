// The Envoy clusters of one revision and their endpoints. Used by build.cc.
#pragma once

#include <string>
#include <vector>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "traffic/program.h"

namespace tidegate::traffic {

enum class Protocol { kRest, kGrpc };

std::string cluster_name_of(const Program& program, const Revision& revision, Protocol protocol);

// The port of `endpoint` for `protocol`; 0: it does not answer it.
uint16_t port_of(const Endpoint& endpoint, Protocol protocol);
bool has_endpoints(const Revision& revision, Protocol protocol);

envoy::config::cluster::v3::Cluster make_cluster(const Program& program, const Revision& revision, Protocol protocol);
// Also for a revision without endpoints: a cluster whose endpoints are never answered would not finish warming.
envoy::config::endpoint::v3::ClusterLoadAssignment make_endpoints(const Program& program, const Revision& revision,
                                                                  Protocol protocol);

// The cluster kVersionCluster, which no route leads to.
envoy::config::cluster::v3::Cluster make_version_cluster();
envoy::config::endpoint::v3::ClusterLoadAssignment make_version_endpoints();

}  // namespace tidegate::traffic
