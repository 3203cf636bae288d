#include "traffic/routes.h"

#include <algorithm>

#include "base/strings.h"
#include "envoy/extensions/filters/http/lua/v3/lua.pb.h"
#include "traffic/clusters.h"
#include "traffic/listener.h"
#include "traffic/messages.h"
#include "traffic/shares.h"

namespace tidegate::traffic {
namespace {

namespace route = envoy::config::route::v3;

// All of these are seen before any byte of the request has reached a pod, so nothing is inferred twice.
constexpr char kRetryOn[] = "connect-failure,refused-stream,reset-before-request";
constexpr char kAvoidPreviousHosts[] =
    "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
// A stream without progress for so long is given up even if its timeout is shorter: uploads may be slow.
constexpr absl::Duration kLeastIdleTimeout = absl::Seconds(60);

// Only for requests with an unknown host: gives one that names its ModelDeployment by the path the host of that, and
// lets its route be looked up again.
constexpr char kLeadByPath[] = R"lua(
function envoy_on_request(request)
  local headers = request:headers()
  local path = headers:get(":path")
  local namespace, name, rest = path:match("^/([a-z0-9-]+)/([a-z0-9-]+)(/.*)$")
  if namespace == nil then
    return
  end
  headers:replace("x-envoy-original-path", path)
  headers:replace(":authority", name .. "." .. namespace)
  headers:replace(":path", rest)
  request:clearRouteCache()
end
)lua";

void set_retries(route::RetryPolicy* policy, int retries) {
  policy->set_retry_on(kRetryOn);
  policy->mutable_num_retries()->set_value(static_cast<uint32_t>(retries));
  auto* predicate = policy->add_retry_host_predicate();
  predicate->set_name("envoy.retry_host_predicates.previous_hosts");
  predicate->mutable_typed_config()->set_type_url(kAvoidPreviousHosts);
  policy->set_host_selection_retry_max_attempts(3);
  set_duration(policy->mutable_retry_back_off()->mutable_base_interval(), absl::Milliseconds(25));
}

void add_revision_header(route::WeightedCluster::ClusterWeight* cluster, const std::string& revision) {
  auto* option = cluster->add_response_headers_to_add();
  option->mutable_header()->set_key("x-tidegate-revision");
  option->mutable_header()->set_value(revision);
  option->set_append_action(envoy::config::core::v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
}

std::vector<uint32_t> shares_of(const Program& program, Protocol protocol) {
  std::vector<Arm> arms;
  for (const Revision& revision : program.revisions) {
    arms.push_back({revision.weight, has_endpoints(revision, protocol)});
  }
  return effective_shares(arms);
}

void answer(route::Route* out, int status, const std::string& sentence) {
  auto* response = out->mutable_direct_response();
  response->set_status(static_cast<uint32_t>(status));
  response->mutable_body()->set_inline_string(sentence);
}

// Where a request of one protocol goes: the revisions by their effective shares, zero shares included, so that a change
// of weights never adds or removes a cluster of the route.
void set_action(route::Route* out, const Program& program, Protocol protocol, const std::string& unavailable) {
  const std::vector<uint32_t> shares = shares_of(program, protocol);
  if (!unavailable.empty()) return answer(out, 503, unavailable);
  if (shares.empty()) {
    return answer(out, 503, base::cat("No revision of ", program.namespace_, "/", program.name, " takes traffic yet."));
  }
  auto* action = out->mutable_route();
  for (size_t i = 0; i < shares.size(); ++i) {
    auto* cluster = action->mutable_weighted_clusters()->add_clusters();
    cluster->set_name(cluster_name_of(program, program.revisions[i], protocol));
    cluster->mutable_weight()->set_value(shares[i]);
    add_revision_header(cluster, program.revisions[i].name);
  }
  set_duration(action->mutable_timeout(), program.timeout);
  set_duration(action->mutable_idle_timeout(), std::max(program.timeout + absl::Seconds(1), kLeastIdleTimeout));
  if (program.retries > 0) set_retries(action->mutable_retry_policy(), program.retries);
}

}  // namespace

std::string virtual_host_name(const std::string& namespace_, const std::string& name) {
  return base::cat(kRoutesName, "/", namespace_, ".", name);
}

route::VirtualHost make_virtual_host(const Program& program, const std::vector<std::string>& hosts,
                                     const std::string& unavailable) {
  route::VirtualHost host;
  host.set_name(virtual_host_name(program.namespace_, program.name));
  for (const std::string& name : hosts) host.add_domains(name);
  // gRPC first: requests that are none fall through to the route for REST.
  for (const Protocol protocol : {Protocol::kGrpc, Protocol::kRest}) {
    auto* out = host.add_routes();
    out->mutable_match()->set_prefix("/");
    if (protocol == Protocol::kGrpc) out->mutable_match()->mutable_grpc();
    set_action(out, program, protocol, unavailable);
  }
  return host;
}

route::VirtualHost make_unknown_host() {
  route::VirtualHost host;
  host.set_name(kUnknownHostName);
  host.add_domains("*");
  envoy::extensions::filters::http::lua::v3::LuaPerRoute lead;
  lead.mutable_source_code()->set_inline_string(kLeadByPath);
  (*host.mutable_typed_per_filter_config())[kLuaFilter] = pack(lead);
  auto* unknown = host.add_routes();
  unknown->mutable_match()->set_prefix("/");
  answer(unknown, 404,
         "No ModelDeployment has this host. Use <name>.<namespace>.svc, or the path /<namespace>/<name>/.");
  return host;
}

route::RouteConfiguration make_routes() {
  route::RouteConfiguration routes;
  routes.set_name(kRoutesName);
  auto* source = routes.mutable_vhds()->mutable_config_source();
  source->mutable_ads();
  source->set_resource_api_version(envoy::config::core::v3::V3);
  source->mutable_initial_fetch_timeout();  // 0: it waits for as long as it takes
  return routes;
}

}  // namespace tidegate::traffic
