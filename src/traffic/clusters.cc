#include "traffic/clusters.h"

#include <absl/strings/str_replace.h>

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

#include "base/strings.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "traffic/messages.h"
#include "traffic/snapshot.h"

namespace tidegate::traffic {
namespace {

// Least request with a slow start suits models: a new pod's caches are cold, and requests differ in cost. Pods are
// ejected for failing connections only: answers with 5xx are the model's, are judged by the operator, and ejecting a
// pod for them would turn a wrong answer into none. The runtime keeps idle connections longer than we do, so it is not
// the one that closes a connection under a request.
constexpr char kCluster[] = R"json({
  "type": "EDS",
  "edsClusterConfig": {"edsConfig": {"ads": {}, "resourceApiVersion": "V3", "initialFetchTimeout": "0s"}},
  "connectTimeout": "1s",
  "lbPolicy": "LEAST_REQUEST",
  "leastRequestLbConfig": {"slowStartConfig": {"slowStartWindow": "10s"}},
  "outlierDetection": {
    "splitExternalLocalOriginErrors": true,
    "consecutiveLocalOriginFailure": 3, "enforcingConsecutiveLocalOriginFailure": 100,
    "enforcingConsecutive5xx": 0, "enforcingConsecutiveGatewayFailure": 0, "enforcingSuccessRate": 0,
    "enforcingLocalOriginSuccessRate": 0,
    "interval": "1s", "baseEjectionTime": "5s", "maxEjectionTime": "30s", "maxEjectionPercent": 50
  },
  "ignoreHealthOnHostRemoval": true,
  "typedExtensionProtocolOptions": {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      "commonHttpProtocolOptions": {"idleTimeout": "30s"},
      "explicitHttpConfig": $PROTOCOL
    }
  }
})json";
constexpr char kHttp1[] = R"json({"httpProtocolOptions": {}})json";
constexpr char kHttp2[] =
    R"json({"http2ProtocolOptions": {"connectionKeepalive": {"interval": "10s", "timeout": "5s"}}})json";

const envoy::config::cluster::v3::Cluster* parse_template(const char* protocol) {
  google::protobuf::LinkMessageReflection<envoy::extensions::upstreams::http::v3::HttpProtocolOptions>();
  auto* cluster = new envoy::config::cluster::v3::Cluster;
  from_json(absl::StrReplaceAll(kCluster, {{"$PROTOCOL", protocol}}), cluster);
  return cluster;
}

const envoy::config::cluster::v3::Cluster& template_of(Protocol protocol) {
  static const auto* const rest = parse_template(kHttp1);
  static const auto* const grpc = parse_template(kHttp2);
  return protocol == Protocol::kRest ? *rest : *grpc;
}

// The limit is on requests; connections are left free, or over HTTP/1.1 requests beyond the limit would queue for one
// instead of being answered 503. Retries share the limit.
void set_concurrency(envoy::config::cluster::v3::CircuitBreakers* breakers, int max_concurrency) {
  auto* thresholds = breakers->add_thresholds();
  const auto limit = static_cast<uint32_t>(max_concurrency);
  thresholds->mutable_max_connections()->set_value(std::numeric_limits<int32_t>::max());
  thresholds->mutable_max_requests()->set_value(limit);
  thresholds->mutable_max_pending_requests()->set_value(limit);
  thresholds->mutable_max_retries()->set_value(limit);
}

}  // namespace

std::string cluster_name_of(const Program& program, const Revision& revision, Protocol protocol) {
  return protocol == Protocol::kRest ? cluster_name(program.namespace_, program.name, revision.name)
                                     : grpc_cluster_name(program.namespace_, program.name, revision.name);
}

uint16_t port_of(const Endpoint& endpoint, Protocol protocol) {
  return protocol == Protocol::kRest ? endpoint.rest_port : endpoint.grpc_port;
}

bool has_endpoints(const Revision& revision, Protocol protocol) {
  return std::any_of(revision.endpoints.begin(), revision.endpoints.end(),
                     [&](const Endpoint& endpoint) { return port_of(endpoint, protocol) != 0; });
}

envoy::config::cluster::v3::Cluster make_cluster(const Program& program, const Revision& revision, Protocol protocol) {
  envoy::config::cluster::v3::Cluster cluster = template_of(protocol);
  cluster.set_name(cluster_name_of(program, revision, protocol));
  set_concurrency(cluster.mutable_circuit_breakers(), program.max_concurrency);
  return cluster;
}

envoy::config::endpoint::v3::ClusterLoadAssignment make_endpoints(const Program& program, const Revision& revision,
                                                                  Protocol protocol) {
  std::set<std::pair<std::string, uint16_t>> addresses;
  for (const Endpoint& endpoint : revision.endpoints) {
    if (const uint16_t port = port_of(endpoint, protocol); port != 0) addresses.emplace(endpoint.address, port);
  }
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  assignment.set_cluster_name(cluster_name_of(program, revision, protocol));
  if (addresses.empty()) return assignment;
  auto* locality = assignment.add_endpoints();
  for (const auto& [address, port] : addresses) {
    auto* socket = locality->add_lb_endpoints()->mutable_endpoint()->mutable_address()->mutable_socket_address();
    socket->set_address(address);
    socket->set_port_value(port);
  }
  return assignment;
}

envoy::config::cluster::v3::Cluster make_version_cluster() {
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_name(kVersionCluster);
  cluster.set_type(envoy::config::cluster::v3::Cluster::EDS);
  auto* source = cluster.mutable_eds_cluster_config()->mutable_eds_config();
  source->mutable_ads();
  source->set_resource_api_version(envoy::config::core::v3::V3);
  source->mutable_initial_fetch_timeout();  // 0
  return cluster;
}

envoy::config::endpoint::v3::ClusterLoadAssignment make_version_endpoints() {
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  assignment.set_cluster_name(kVersionCluster);
  return assignment;
}

}  // namespace tidegate::traffic
