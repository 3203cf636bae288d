// Client over real TLS with a server that demands client certificates: a changed certificate is shown on new
// connections while what is in flight on old ones goes on, and a changed authority is trusted.
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <mutex>

#include "base/scratch_folder.h"
#include "base/strings.h"
#include "kube/client.h"
#include "net/certificate.h"
#include "net/client_world.h"
#include "net/curl_http_client.h"
#include "net/scripted_server.h"

namespace tidegate::kube {
namespace {

namespace ssl = boost::asio::ssl;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

net::KeyPair authority() { return net::make_authority({.common_name = "test", .now = absl::Now()}).value(); }

net::KeyPair leaf(const net::KeyPair& authority, const std::string& name) {
  net::LeafRequest request;
  request.common_name = name;
  request.ip_addresses = {"127.0.0.1"};
  request.now = absl::Now();
  return net::issue(authority, request).value();
}

// An API server that answers every GET with an object and a watch with two events, the second when the test says so.
class Server {
 public:
  Server(const net::KeyPair& authority, const net::KeyPair& clients)
      : server_([this](const auto& request, auto& connection) { return answer(request, connection); },
                context(leaf(authority, "server"), clients.certificate_pem)) {}

  std::string url() const { return server_.url(); }
  void send_second_event() { second_.set_value(); }
  // Common names of the certificates that connections were opened with.
  std::vector<std::string> seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  std::shared_ptr<ssl::context> context(const net::KeyPair& own, const std::string& clients) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    context->use_certificate_chain(boost::asio::buffer(own.certificate_pem));
    context->use_private_key(boost::asio::buffer(own.private_key_pem), ssl::context::pem);
    context->add_certificate_authority(boost::asio::buffer(clients));
    context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
    context->set_verify_callback([this](bool trusted, ssl::verify_context& verify) {
      if (X509_STORE_CTX_get_error_depth(verify.native_handle()) == 0) {
        char name[64] = {};
        X509_NAME_get_text_by_NID(X509_get_subject_name(X509_STORE_CTX_get_current_cert(verify.native_handle())),
                                  NID_commonName, name, sizeof name);
        std::lock_guard lock(mutex_);
        seen_.push_back(name);
      }
      return trusted;
    });
    return context;
  }

  bool answer(const net::ScriptedRequest& request, net::ScriptedConnection& connection) {
    if (request.target.find("watch=true") == std::string::npos) {
      return connection.respond(200, R"({"metadata":{"name":"a"}})");
    }
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("1"));
    second_.get_future().wait_for(std::chrono::seconds(20));
    return connection.write(chunk("2") + "0\r\n\r\n");
  }
  static std::string chunk(const std::string& version) {
    const std::string line =
        base::cat(R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":")", version, "\"}}}\n");
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", line.size());
    return size + line + "\r\n";
  }

  std::promise<void> second_;
  std::mutex mutex_;
  std::vector<std::string> seen_;
  net::ScriptedServer server_;  // last: its threads use all of the above
};

class ClientCertificateTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_ / name; }
  void write(const std::string& name, const std::string& text) { directory_.write(name, text); }
  void write_identity(const std::string& name) {
    const net::KeyPair pair = leaf(clients_, name);
    write("client.crt", pair.certificate_pem);
    write("client.key", pair.private_key_pem);
  }
  ClientConfig load(const Server& server, const std::string& user) {
    write("kubeconfig", base::cat("current-context: main\nclusters:\n- name: c\n  cluster: {server: '", server.url(),
                                  "', certificate-authority: ca.crt}\nusers:\n- name: u\n  user: ", user,
                                  "\ncontexts:\n- name: main\n  context: {cluster: c, user: u}\n"));
    return load_kubeconfig(path("kubeconfig"), "", world_.clock).value();
  }
  ClientConfig load_with_files(const Server& server) {
    return load(server, "{client-certificate: client.crt, client-key: client.key}");
  }

  static base::Task<void> get(Client* client, base::Scope* scope, std::optional<absl::Status>* out) {
    const base::ObjectKey key{"demo", "a"};
    const absl::StatusOr<Json> object = co_await client->get(resources::config_maps(), key, *scope);
    *out = object.status();
  }
  static base::Task<void> watch(Client* client, base::Scope* scope, std::vector<std::string>* versions,
                                std::optional<absl::Status>* out) {
    WatchOptions options;
    options.ns = "demo";
    std::function<void(const WatchEvent&)> note = [versions](const WatchEvent& event) {
      versions->push_back(event.resource_version());
    };
    const absl::Status ended = co_await client->watch(resources::config_maps(), options, note, *scope);
    *out = ended;
  }
  absl::Status get_and_wait(Client& client) {
    std::optional<absl::Status> result;
    world_.loop.spawn(get(&client, &world_.scope, &result));
    if (!world_.run_until([&] { return result.has_value(); })) return absl::InternalError("the request never ended");
    return *result;
  }

  const net::KeyPair authority_ = authority();
  const net::KeyPair clients_ = authority();
  const base::ScratchFolder directory_;
  net::ClientWorld world_;
  net::CurlHttpClient http_{world_.loop.context(), world_.clock};
};

TEST_F(ClientCertificateTest, ShowsARenewedCertificateOnNewConnectionsWhileAWatchGoesOnOnTheOldOne) {
  Server server(authority_, clients_);
  write("ca.crt", authority_.certificate_pem);
  write_identity("before");
  const ClientConfig config = load_with_files(server);
  Client client(http_, config);
  std::vector<std::string> versions;
  std::optional<absl::Status> ended;
  world_.loop.spawn(watch(&client, &world_.scope, &versions, &ended));
  ASSERT_TRUE(world_.run_until([&] { return versions.size() == 1; }));

  write_identity("after");
  config.tls->invalidate();  // as after ten seconds
  EXPECT_TRUE(get_and_wait(client).ok());
  EXPECT_TRUE(get_and_wait(client).ok());
  EXPECT_THAT(server.seen(), ElementsAre("before", "after")) << "one new connection for all new requests";
  EXPECT_FALSE(ended.has_value());
  server.send_second_event();
  ASSERT_TRUE(world_.run_until([&] { return ended.has_value(); }));
  EXPECT_TRUE(ended->ok()) << *ended;
  EXPECT_THAT(versions, ElementsAre("1", "2"));
}

TEST_F(ClientCertificateTest, TrustsANewAuthorityOnceItsFileHoldsIt) {
  const net::KeyPair next = authority();
  Server before(authority_, clients_), after(next, clients_);
  write("ca.crt", authority_.certificate_pem);
  write_identity("operator");
  ClientConfig config = load_with_files(before);
  Client client(http_, config);
  EXPECT_TRUE(get_and_wait(client).ok());
  config.server = after.url();
  Client moved(http_, config);
  const absl::Status refused = get_and_wait(moved);
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(std::string(base::view(refused.message())), HasSubstr("certificate"));
  write("ca.crt", next.certificate_pem);
  const absl::Status accepted = get_and_wait(moved);
  EXPECT_TRUE(accepted.ok()) << accepted << ": the failure has made it look again";
}

TEST_F(ClientCertificateTest, ShowsTheCertificateThatAPluginPrintsWhenTheLastOneRunsOut) {
  Server server(authority_, clients_);
  write("ca.crt", authority_.certificate_pem);
  for (const char* number : {"1", "2"}) {
    const net::KeyPair pair = leaf(clients_, base::cat("run-", number));
    Json credential = {{"apiVersion", "client.authentication.k8s.io/v1"}, {"kind", "ExecCredential"}};
    // Sooner than a credential is given up before its end.
    credential["status"] = {{"clientCertificateData", pair.certificate_pem},
                            {"clientKeyData", pair.private_key_pem},
                            {"expirationTimestamp", format_time(absl::Now() + absl::Seconds(5))}};
    write(base::cat("credential-", number), credential.dump());
  }
  write("plugin", base::cat("#!/bin/sh\necho run >> ", path("runs"), "\ncat ", path("credential-"), "$(wc -l < ",
                            path("runs"), ")\n"));
  std::filesystem::permissions(path("plugin"), std::filesystem::perms::owner_all);
  Client client(http_, load(server, "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}}"));
  for (int i = 0; i < 2; ++i) {
    const absl::Status got = get_and_wait(client);
    EXPECT_TRUE(got.ok()) << got;
  }
  EXPECT_THAT(server.seen(), ElementsAre("run-1", "run-2"));
}

}  // namespace
}  // namespace tidegate::kube
