#include "xds/gateway_world.h"

#include <absl/strings/str_replace.h>
#include <absl/time/clock.h>
#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/free_port.h"
#include "base/strings.h"
#include "envoy/service/discovery/v3/ads.grpc.pb.h"
#include "source_dir.h"
#include "traffic/in_order.h"
#include "xds/socket.h"

namespace tidegate::xds {
namespace {

namespace fs = std::filesystem;

void write_file(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

std::string read_file(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

YAML::Node find_config_map() {
  for (const YAML::Node& document : YAML::LoadAllFromFile(TIDEGATE_SOURCE_DIR "/manifests/gateway.yaml")) {
    if (document["kind"].as<std::string>() == "ConfigMap") return document["data"];
  }
  return {};
}

}  // namespace

bool eventually(const std::function<bool()>& done) {
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while (!done()) {
    if (absl::Now() > give_up) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

GatewayWorld::GatewayWorld()
    : authority_(net::make_authority({.now = absl::Now()}).value()),
      ports_{base::free_port(), base::free_port(), base::free_port(), base::free_port(), base::free_port()} {
  settings.listen_address = "127.0.0.1";
  settings.listen_port = static_cast<uint16_t>(ports_.requests);
  write_config();
  install_certificate(gateway_identity());
}

GatewayWorld::~GatewayWorld() {
  if (envoy_ > 0) {
    kill(envoy_, SIGKILL);
    waitpid(envoy_, nullptr, 0);
  }
  if (HasFailure() && fs::exists(directory_ / "envoy.log")) {
    std::string log = read_file(directory_ / "envoy.log");
    if (log.size() > 4000) log.erase(0, log.size() - 4000);
    std::fprintf(stderr, "The proxy's last words:\n%s\n", log.c_str());
  }
  server.reset();
}

void GatewayWorld::write_config() {
  fs::create_directories(directory_ / "envoy");
  const std::vector<std::pair<std::string, std::string>> replacements = {
      {"{address: tidegate-xds.tidegate-system.svc, port_value: 18000}",
       base::cat("{address: 127.0.0.1, port_value: ", ports_.xds, "}")},
      {"port_value: 9901", base::cat("port_value: ", ports_.admin)},
      {"port_value: 8081", base::cat("port_value: ", ports_.readiness)},
      {"port_value: 8082", base::cat("port_value: ", ports_.statistics)},
      {"/dev/tcp/127.0.0.1/9901", base::cat("/dev/tcp/127.0.0.1/", ports_.admin)},
      {"0.0.0.0", "127.0.0.1"},
      {"/etc/tidegate/", directory_.string() + "/"}};
  for (const auto& file : find_config_map()) {
    write_file(directory_.string() + "/envoy/" + file.first.as<std::string>(),
               absl::StrReplaceAll(file.second.as<std::string>(), replacements));
  }
}

net::TlsIdentity GatewayWorld::identity(const net::KeyPair& authority, const net::LeafRequest& names) const {
  net::LeafRequest request = names;
  request.now = absl::Now();
  net::KeyPair pair = net::issue(authority, request).value();
  return {pair.certificate_pem, pair.private_key_pem, authority.certificate_pem};
}

net::TlsIdentity GatewayWorld::operator_identity() const {
  return identity(authority_,
                  {.dns_names = {"tidegate-xds.tidegate-system.svc"}, .uris = {"spiffe://tidegate/operator"}});
}

net::TlsIdentity GatewayWorld::gateway_identity() const {
  return identity(authority_, {.uris = {"spiffe://tidegate/gateway"}});
}

void GatewayWorld::install_certificate(const net::TlsIdentity& identity) {
  const fs::path tls = directory_ / "tls";
  const std::string version = base::cat("..version-", ++generation_);
  fs::create_directories(tls / version);
  write_file(tls / version / "tls.crt", identity.certificate_pem);
  write_file(tls / version / "tls.key", identity.private_key_pem);
  write_file(tls / version / "ca.crt", identity.ca_pem);
  fs::create_directory_symlink(version, tls / "..data_new");
  fs::rename(tls / "..data_new", tls / "..data");
  if (generation_ > 1) return;
  for (const char* file : {"tls.crt", "tls.key", "ca.crt"}) {
    fs::create_symlink(fs::path("..data") / file, tls / file);
  }
}

void GatewayWorld::start_server() {
  server.reset();
  auto started = Server::start({.address = "127.0.0.1", .port = ports_.xds}, operator_identity());
  ASSERT_TRUE(started.ok()) << started.status();
  server = *std::move(started);
}

void GatewayWorld::start_envoy() {
  ASSERT_TRUE(fs::exists(TIDEGATE_ENVOY)) << "There is no Envoy at '" TIDEGATE_ENVOY "'. Run: tools/setup python";
  const std::string config = config_path("envoy.yaml");
  const std::string log = directory_ / "envoy.log";
  envoy_ = fork();
  if (envoy_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    dup2(out, 1);
    dup2(out, 2);
    execl(TIDEGATE_ENVOY, "envoy", "--config-path", config.c_str(), "--service-node", "gateway-0", "--service-cluster",
          "tidegate-gateway", "--concurrency", "2", "--disable-hot-restart", "--log-level", "warning", nullptr);
    _exit(127);
  }
}

void GatewayWorld::publish(const std::vector<traffic::Program>& programs) { publish_all(traffic::in_order(programs)); }

void GatewayWorld::publish_all(const traffic::Programs& programs) {
  built = traffic::build(programs, settings, built ? &*built : nullptr);
  ASSERT_TRUE(built->errors.empty()) << built->errors.front().message;
  server->publish(built->snapshot);
}

std::optional<NodeStatus> GatewayWorld::node() const {
  const ServerStatus status = server->status();
  if (status.nodes.size() != 1) return std::nullopt;
  return status.nodes.front();
}

bool GatewayWorld::applied() {
  return eventually([&] {
    const auto proxy = node();
    return proxy && proxy->applied == traffic::AppliedVersion{built->snapshot->resource_version, {}};
  });
}

absl::StatusOr<net::HttpResponse> GatewayWorld::get(const std::string& url, net::TlsOptions names,
                                                    const net::TlsIdentity& as) {
  net::CurlHttpClient client(client_world_.loop.context(), client_world_.clock);
  names.ca_pem = as.ca_pem;
  names.certificate_pem = as.certificate_pem;
  names.private_key_pem = as.private_key_pem;
  net::HttpRequest request;
  request.url = url;
  request.tls = std::make_shared<const net::TlsOptions>(std::move(names));
  return client_world_.fetch_and_wait(client, std::move(request));
}

absl::StatusOr<net::HttpResponse> GatewayWorld::get_statistics(const std::string& path, const net::TlsIdentity& as) {
  net::TlsOptions names;
  names.server_uri_san = "spiffe://tidegate/gateway";
  return get(base::cat("https://127.0.0.1:", ports_.statistics, path), names, as);
}

absl::StatusOr<net::HttpResponse> GatewayWorld::get_from_server(const std::string& path, const net::TlsIdentity& as) {
  net::TlsOptions names;
  names.server_uri_san = "spiffe://tidegate/operator";
  return get(base::cat("https://127.0.0.1:", ports_.xds, path), names, as);
}

int subscribe(int port, const std::string& server_name, const net::TlsIdentity& as) {
  namespace discovery = envoy::service::discovery::v3;
  grpc::SslCredentialsOptions credentials{as.ca_pem, as.private_key_pem, as.certificate_pem};
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(server_name);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  discovery::AggregatedDiscoveryService::Stub stub(
      grpc::CreateCustomChannel(base::cat("127.0.0.1:", port), grpc::SslCredentials(credentials), arguments));
  grpc::ClientContext context;
  const auto stream = stub.DeltaAggregatedResources(&context);
  discovery::DeltaDiscoveryRequest request;
  request.mutable_node()->set_id("someone");
  request.set_type_url(std::string(traffic::type_url(traffic::ResourceType::kCluster)));
  stream->Write(request);
  discovery::DeltaDiscoveryResponse response;
  if (stream->Read(&response)) {
    context.TryCancel();
    stream->Finish();
    return grpc::StatusCode::OK;
  }
  return stream->Finish().error_code();
}

metrics::GatewayScrape GatewayWorld::scrape(bool histograms) {
  const auto response = get_statistics(metrics::stats_path({}, histograms), operator_identity());
  if (!response.ok() || response->status != 200) {
    ADD_FAILURE() << (response.ok() ? base::cat("status ", response->status) : response.status().ToString());
    return {};
  }
  const auto parsed = metrics::parse(response->body, "container-1", absl::Now());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.value_or(metrics::GatewayScrape{});
}

}  // namespace tidegate::xds
