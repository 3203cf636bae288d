// CurlHttpClient against servers with certificates: who is trusted, and as whom we appear.
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/certificate.h"
#include "net/client_world.h"
#include "net/curl_http_client.h"
#include "net/scripted_server.h"

namespace tidegate::net {
namespace {

using ::testing::HasSubstr;

KeyPair authority() { return make_authority({.common_name = "test", .now = absl::Now()}).value(); }

KeyPair leaf(const KeyPair& authority, std::string name, std::vector<std::string> uris = {}) {
  LeafRequest request;
  request.common_name = name;
  request.dns_names = {name};
  request.uris = std::move(uris);
  request.ip_addresses = {"127.0.0.1"};
  request.now = absl::Now();
  return issue(authority, request).value();
}

// Demands a certificate signed by `clients`, unless that is empty.
std::shared_ptr<boost::asio::ssl::context> server_context(const KeyPair& own, const std::string& clients) {
  namespace ssl = boost::asio::ssl;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  context->use_certificate_chain(boost::asio::buffer(own.certificate_pem));
  context->use_private_key(boost::asio::buffer(own.private_key_pem), ssl::context::pem);
  if (!clients.empty()) {
    context->add_certificate_authority(boost::asio::buffer(clients));
    context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  }
  return context;
}

bool respond(const ScriptedRequest& request, ScriptedConnection& connection) {
  return connection.respond(200, request.headers.at("host"));
}

struct TlsWorld : ClientWorld {
  CurlHttpClient client{loop.context(), clock};

  Result ask(const ScriptedServer& server, TlsOptions tls) {
    HttpRequest request;
    request.url = server.url() + "/";
    request.tls = std::make_shared<TlsOptions>(std::move(tls));
    return fetch_and_wait(client, std::move(request));
  }
};

TEST(TlsClient, TrustsOnlyTheAuthorityItIsGiven) {
  TlsWorld world;
  const KeyPair ours = authority(), theirs = authority();
  ScriptedServer server(respond, server_context(leaf(ours, "server"), ""));
  EXPECT_TRUE(world.ask(server, {.ca_pem = ours.certificate_pem}).ok());
  Result other = world.ask(server, {.ca_pem = theirs.certificate_pem});
  EXPECT_TRUE(absl::IsUnavailable(other.status())) << other.status();
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("certificate"));
  EXPECT_FALSE(world.ask(server, {}).ok()) << "the system does not know this authority";
  EXPECT_TRUE(world.ask(server, {.insecure_skip_verify = true}).ok());
}

TEST(TlsClient, ShowsItsCertificateToAServerThatDemandsOne) {
  TlsWorld world;
  const KeyPair ca = authority();
  const KeyPair own = leaf(ca, "client");
  ScriptedServer server(respond, server_context(leaf(ca, "server"), ca.certificate_pem));
  Result without = world.ask(server, {.ca_pem = ca.certificate_pem});
  EXPECT_TRUE(absl::IsUnavailable(without.status())) << without.status();
  Result with = world.ask(
      server,
      {.ca_pem = ca.certificate_pem, .certificate_pem = own.certificate_pem, .private_key_pem = own.private_key_pem});
  EXPECT_TRUE(with.ok()) << with.status();
}

TEST(TlsClient, ShowsItsCertificateInNoRequestThatDoesNotAskForIt) {
  TlsWorld world;
  const KeyPair ca = authority();
  const KeyPair own = leaf(ca, "client");
  ScriptedServer server(respond, server_context(leaf(ca, "server"), ca.certificate_pem));
  const TlsOptions with{
      .ca_pem = ca.certificate_pem, .certificate_pem = own.certificate_pem, .private_key_pem = own.private_key_pem};
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(world.ask(server, with).ok());
    EXPECT_FALSE(world.ask(server, {.ca_pem = ca.certificate_pem}).ok());
    EXPECT_FALSE(world.ask(server, {}).ok());
  }
}

TEST(TlsClient, ChecksTheHostOrTheNameThatReplacesIt) {
  TlsWorld world;
  const KeyPair ca = authority();
  LeafRequest named;
  named.common_name = "gateway";
  named.dns_names = {"gateway.test"};
  named.now = absl::Now();
  ScriptedServer server(respond, server_context(issue(ca, named).value(), ""));
  EXPECT_FALSE(world.ask(server, {.ca_pem = ca.certificate_pem}).ok()) << "127.0.0.1 is not in the certificate";
  Result named_right = world.ask(server, {.ca_pem = ca.certificate_pem, .server_name = "gateway.test"});
  ASSERT_TRUE(named_right.ok()) << named_right.status();
  EXPECT_EQ("https://" + named_right->body, server.url()) << "the Host header stays that of the URL";
  EXPECT_FALSE(world.ask(server, {.ca_pem = ca.certificate_pem, .server_name = "other.test"}).ok());
}

TEST(TlsClient, ChecksTheUriIdentityOfEveryRequestEvenOnASharedConnection) {
  TlsWorld world;
  const KeyPair ca = authority();
  ScriptedServer server(respond, server_context(leaf(ca, "x", {"spiffe://tidegate/gateway"}), ""));
  EXPECT_TRUE(world.ask(server, {.ca_pem = ca.certificate_pem, .server_uri_san = "spiffe://tidegate/gateway"}).ok());
  for (const char* wrong : {"spiffe://tidegate/operator", "spiffe://tidegate/gateway/", "spiffe://tidegate"}) {
    Result result = world.ask(server, {.ca_pem = ca.certificate_pem, .server_uri_san = wrong});
    EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(wrong));
  }
  EXPECT_EQ(server.requests(), 1) << "nothing may be sent to a server with a wrong identity";
  const KeyPair impostor = authority();
  Result untrusted =
      world.ask(server, {.ca_pem = impostor.certificate_pem, .server_uri_san = "spiffe://tidegate/gateway"});
  EXPECT_FALSE(untrusted.ok()) << "the right name signed by a wrong authority";
}

TEST(TlsClient, RefusesAKeyThatDoesNotBelongToItsCertificate) {
  TlsWorld world;
  const KeyPair ca = authority();
  ScriptedServer server(respond, server_context(leaf(ca, "server"), ca.certificate_pem));
  Result result = world.ask(server, {.ca_pem = ca.certificate_pem,
                                     .certificate_pem = leaf(ca, "a").certificate_pem,
                                     .private_key_pem = leaf(ca, "b").private_key_pem});
  EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
}

}  // namespace
}  // namespace tidegate::net
