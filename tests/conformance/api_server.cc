#include "conformance/api_server.h"

#include <absl/strings/escaping.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/free_port.h"
#include "base/status.h"
#include "base/strings.h"
#include "kube/json.h"

namespace tidegate::conformance {
namespace {

constexpr const char* kToken = "conformance-token";

std::string program(const std::string& name) {
  const char* directory = std::getenv("TIDEGATE_BIN");
  const char* home = std::getenv("HOME");
  return directory != nullptr ? base::cat(directory, "/", name)
                              : base::cat(home != nullptr ? home : "", "/.cache/tidegate/bin/", name);
}

void write_file(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }

std::string tail(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return text.size() > 3000 ? text.substr(text.size() - 3000) : text;
}

std::string local(int port) { return base::cat("http://127.0.0.1:", port); }

}  // namespace

bool World::until(const std::function<bool()>& condition, absl::Duration limit) {
  const absl::Duration deadline = clock.uptime() + limit;
  auto guard = boost::asio::make_work_guard(loop.context());
  while (!condition()) {
    if (clock.uptime() > deadline) return false;
    loop.context().restart();
    loop.context().run_one_for(std::chrono::milliseconds(20));
  }
  return true;
}

absl::Status ApiServer::write_keys(World& world) {
  TG_ASSIGN_OR_RETURN(clients_, net::make_authority({"conformance clients", world.clock.now(), absl::Hours(2)}));
  write_file(directory_ / "clients.crt", clients_.certificate_pem);
  write_file(directory_ / "tokens.csv", base::cat(kToken, ",conformance,conformance,\"system:masters\"\n"));
  return write_server_certificate(world);
}

absl::Status ApiServer::write_server_certificate(World& world) {
  TG_ASSIGN_OR_RETURN(const net::KeyPair authority,
                      net::make_authority({"conformance", world.clock.now(), absl::Hours(2)}));
  net::LeafRequest request;
  request.common_name = "kube-apiserver";
  request.ip_addresses = {"127.0.0.1"};
  request.now = world.clock.now();
  request.lifetime = absl::Hours(1);
  TG_ASSIGN_OR_RETURN(const net::KeyPair server, net::issue(authority, request));
  ca_pem_ = authority.certificate_pem;
  write_file(directory_ / "server.crt", server.certificate_pem);
  write_file(directory_ / "server.key", server.private_key_pem);
  return absl::OkStatus();
}

absl::Status ApiServer::replace_authority(World& world) { return write_server_certificate(world); }

absl::StatusOr<net::KeyPair> ApiServer::issue_client(const std::string& name, absl::Time now) const {
  net::LeafRequest request;
  request.common_name = name;
  request.dns_names = {name};
  request.now = now;
  request.lifetime = absl::Hours(1);
  return net::issue(clients_, request);
}

absl::Status ApiServer::start_etcd() {
  const std::string client = local(etcd_port_);
  const std::string peer = local(etcd_peer_port_);
  return etcd_.start({program("etcd"), "--name=conformance", base::cat("--data-dir=", (directory_ / "etcd").string()),
                      base::cat("--listen-client-urls=", client), base::cat("--advertise-client-urls=", client),
                      base::cat("--listen-peer-urls=", peer), base::cat("--initial-advertise-peer-urls=", peer),
                      base::cat("--initial-cluster=conformance=", peer), "--unsafe-no-fsync", "--log-level=warn"},
                     directory_ / "etcd.log");
}

absl::Status ApiServer::start(World& world) {
  etcd_port_ = base::free_port();
  etcd_peer_port_ = base::free_port();
  api_port_ = base::free_port();
  TG_RETURN_IF_ERROR(write_keys(world));
  TG_RETURN_IF_ERROR(start_etcd());
  return start_api(world);
}

absl::Status ApiServer::start_api(World& world) {
  const std::string directory = directory_.string();
  TG_RETURN_IF_ERROR(api_.start(
      {program("kube-apiserver"), base::cat("--etcd-servers=", local(etcd_port_)), "--bind-address=127.0.0.1",
       "--advertise-address=127.0.0.1", base::cat("--secure-port=", api_port_),
       "--service-cluster-ip-range=10.254.0.0/24", base::cat("--tls-cert-file=", directory, "/server.crt"),
       base::cat("--tls-private-key-file=", directory, "/server.key"),
       base::cat("--token-auth-file=", directory, "/tokens.csv"),
       base::cat("--client-ca-file=", directory, "/clients.crt"),
       "--service-account-issuer=https://conformance.invalid",
       base::cat("--service-account-key-file=", directory, "/server.crt"),
       base::cat("--service-account-signing-key-file=", directory, "/server.key"), "--authorization-mode=RBAC",
       "--endpoint-reconciler-type=none", "--etcd-compaction-interval=0", "--profiling=false"},
      directory_ / "apiserver.log"));
  // What fails for another reason than "not yet" shows in the log.
  if (world.until([&] { return !api_.running() || ready(world); }, absl::Seconds(90)) && api_.running()) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(base::cat("kube-apiserver did not become ready:\n", log_tail()));
}

bool ApiServer::ready(World& world) {
  net::HttpRequest request;
  request.url = base::cat("https://127.0.0.1:", api_port_, "/readyz");
  request.tls = config().tls->tls();
  request.timeout = absl::Seconds(5);
  request.headers = {{"authorization", base::cat("Bearer ", kToken)}};
  auto answer = world.await(world.http.request(std::move(request), world.scope));
  if (answer.ok() && answer->status == 200) return true;
  world.await(base::sleep_for(world.clock, absl::Milliseconds(200), world.scope)).IgnoreError();
  return false;
}

absl::StatusOr<net::HttpResponse> ApiServer::ask_etcd(World& world, const std::string& path, const kube::Json& body) {
  net::HttpRequest request;
  request.method = "POST";
  request.url = base::cat(local(etcd_port_), path);
  request.body = body.dump();
  absl::StatusOr<net::HttpResponse> answer = world.await(world.http.request(std::move(request), world.scope));
  if (answer.ok() && answer->status != 200) return absl::InternalError(base::cat("etcd: ", answer->body));
  return answer;
}

absl::Status ApiServer::compact(World& world) {
  TG_ASSIGN_OR_RETURN(const net::HttpResponse range, ask_etcd(world, "/v3/kv/range", {{"key", "AA=="}}));
  TG_ASSIGN_OR_RETURN(const kube::Json header, kube::parse_json(range.body, "etcd"));
  const std::string revision = kube::string_at(header, {"header", "revision"});
  return ask_etcd(world, "/v3/kv/compaction", {{"revision", revision}, {"physical", true}}).status();
}

absl::Status ApiServer::put_in_etcd(World& world, const std::vector<std::pair<std::string, std::string>>& objects) {
  constexpr size_t kBatch = 100;  // etcd takes 128
  for (size_t begin = 0; begin < objects.size(); begin += kBatch) {
    kube::Json transaction;
    for (size_t i = begin; i < std::min(objects.size(), begin + kBatch); ++i) {
      kube::Json put = {{"key", absl::Base64Escape(objects[i].first)},
                        {"value", absl::Base64Escape(objects[i].second)}};
      transaction["success"].push_back({{"requestPut", std::move(put)}});
    }
    TG_RETURN_IF_ERROR(ask_etcd(world, "/v3/kv/txn", transaction).status());
  }
  return absl::OkStatus();
}

void ApiServer::set_second_token(const std::string& token) {
  write_file(directory_ / "tokens.csv", base::cat(kToken, ",conformance,conformance,\"system:masters\"\n", token,
                                                  ",second,second,\"system:masters\"\n"));
}

kube::ClientConfig ApiServer::config() const {
  kube::ClientConfig config;
  config.server = base::cat("https://127.0.0.1:", api_port_);
  config.tls = kube::make_static_tls({.ca_pem = ca_pem_});
  config.token = kube::make_static_token(kToken);
  return config;
}

std::string ApiServer::log_tail() const { return tail(directory_ / "etcd.log") + tail(directory_ / "apiserver.log"); }

ApiServer::~ApiServer() {
  api_.kill();
  etcd_.kill();
}

}  // namespace tidegate::conformance
