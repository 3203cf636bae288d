// The webhook on the real HTTP server, byte by byte over TLS: what strangers send costs an answer, and the next review
// is judged all the same.
#include "operator/webhooks/webhook_server.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <future>
#include <thread>

#include "base/strings.h"
#include "net/beast_http_server.h"
#include "net/server_thread.h"
#include "operator/webhooks/judge.h"
#include "webhook_samples.h"

namespace tidegate::operator_ {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

struct Authority {
  net::KeyPair own = net::make_authority({.common_name = "test", .now = absl::Now()}).value();

  net::TlsIdentity issue(const std::string& name) const {
    const net::KeyPair pair = net::issue(own, {.common_name = name, .dns_names = {name}, .now = absl::Now()}).value();
    return {pair.certificate_pem, pair.private_key_pem, own.certificate_pem};
  }
};

// The server with a loop on a thread of its own, as in the operator.
class World {
 public:
  World() : clock_(loop.context()) {
    const ServerFactory listen = [this](const net::HttpServerOptions& options, const net::ServerTls& tls,
                                        net::Handler handler) {
      return net::make_beast_http_server(thread_.context(), options, tls, std::move(handler));
    };
    webhook = WebhookServer::start(listen, "127.0.0.1", 0, authority.issue("first"), loop, clock_,
                                   [this](const Review& review) {
                                     ++judged;
                                     return judge(review, [](const api::ModelDeployment&) {
                                       References references;
                                       references.cluster_domain = "cluster.local";
                                       references.runtimes = {std::make_shared<api::ServingRuntime>(sample_runtime())};
                                       return references;
                                     });
                                   })
                  .value();
    run_loop();
  }
  ~World() {
    on_loop([this] { webhook.reset(); });
    stop_loop();
    thread_.stop();
  }

  void run_loop() {
    loop.context().restart();  // before there is a thread, so that a stop that comes early is not lost
    loop_thread_ = std::thread([this] {
      auto guard = asio::make_work_guard(loop.context());
      loop.context().run();
    });
  }
  // Reviews wait from here on.
  void stop_loop() {
    loop.stop();
    if (loop_thread_.joinable()) loop_thread_.join();
  }
  void on_loop(const std::function<void()>& function) {
    std::promise<void> done;
    loop.post([&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }
  uint64_t count(WebhookOutcome outcome) const { return webhook->metrics().count_of(static_cast<size_t>(outcome)); }

  Authority authority;
  std::atomic<int> judged{0};

 private:
  net::ServerThread thread_;  // before the loop: see its header

 public:
  base::Loop loop;
  std::unique_ptr<WebhookServer> webhook;

 private:
  base::SystemClock clock_;
  std::thread loop_thread_;
};

// A blocking client.
class Client {
 public:
  explicit Client(World& world) {
    tls_.add_certificate_authority(asio::buffer(world.authority.own.certificate_pem));
    tls_.set_verify_mode(asio::ssl::verify_peer);
    stream_.emplace(context_, tls_);
    stream_->next_layer().connect({asio::ip::make_address("127.0.0.1"), world.webhook->port()});
    stream_->handshake(asio::ssl::stream_base::client);
  }
  void send(std::string_view text) {
    boost::system::error_code ignored;  // the server may have heard enough
    asio::write(*stream_, asio::buffer(text.data(), text.size()), ignored);
  }
  std::string receive() {
    boost::system::error_code error;
    const size_t head = asio::read_until(*stream_, asio::dynamic_buffer(input_), "\r\n\r\n", error);
    if (error) return std::exchange(input_, "");
    const size_t at = input_.find("Content-Length: ");
    const size_t total = head + (at < head ? std::stoul(input_.substr(at + 16)) : 0);
    if (input_.size() < total) {
      asio::read(*stream_, asio::dynamic_buffer(input_), asio::transfer_exactly(total - input_.size()), error);
    }
    const std::string answer = input_.substr(0, total);
    input_.erase(0, total);
    return answer;
  }
  std::string ask(std::string_view text) {
    send(text);
    return receive();
  }
  std::string server_name() {
    X509* certificate = SSL_get_peer_certificate(stream_->native_handle());
    char name[64] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    X509_free(certificate);
    return name;
  }

 private:
  asio::io_context context_;
  asio::ssl::context tls_{asio::ssl::context::tls_client};
  std::optional<asio::ssl::stream<tcp::socket>> stream_;
  std::string input_;
};

// A server that nobody can reach.
class ClosedServer : public net::HttpServer {
 public:
  uint16_t port() const override { return 0; }
  absl::Status replace_tls(const net::ServerTls&) override { return absl::OkStatus(); }
  void announce_close() override {}
  void drain(std::function<void()>) override {}
};

std::string post(std::string_view body, std::string_view type = "application/json",
                 std::string_view path = "/validate") {
  return base::cat("POST ", path, " HTTP/1.1\r\nHost: h\r\nContent-Type: ", type, "\r\nContent-Length: ", body.size(),
                   "\r\n\r\n", body);
}

void expect_judges(World& world) {
  Client client(world);
  EXPECT_THAT(client.ask(post(good_review())), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr(R"("allowed":true)")));
}

TEST(WebhookServer, JudgesReviewsOnOneConnectionAsTheyCome) {
  World world;
  Client client(world);
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(client.ask(post(good_review(), "application/json; charset=utf-8", "/validate?timeout=5s")),
                AllOf(StartsWith("HTTP/1.1 200"), HasSubstr(R"("allowed":true)")));
  }
  api::ModelDeployment bad = sample_object();
  bad.spec.traffic.hosts = {"x.svc"};
  EXPECT_THAT(client.ask(post(review_json(object_json(bad)).dump())),
              AllOf(HasSubstr(R"("allowed":false)"), HasSubstr("spec.traffic.hosts[0]: x.svc: ")));
  bad = sample_object();
  bad.spec.replicas = 0;
  EXPECT_THAT(client.ask(post(review_json(object_json(bad)).dump())), HasSubstr("spec.replicas: 0: "));
  EXPECT_EQ(world.count(WebhookOutcome::kAllowed), 20u);
  EXPECT_EQ(world.count(WebhookOutcome::kDenied), 1u);
  EXPECT_EQ(world.count(WebhookOutcome::kWarned), 1u);
  world.on_loop([&] { EXPECT_EQ(world.webhook->metrics().duration.count(), 22u); });
}

TEST(WebhookServer, AnswersWhatIsNoReviewWithAnErrorAndGoesOn) {
  World world;
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const std::vector<std::pair<std::string, std::string>> cases{
      {post("{not json"), "HTTP/1.1 400"},
      {post(""), "HTTP/1.1 400"},
      {post(deep), "HTTP/1.1 400"},
      {post(std::string(100'000, '{')), "HTTP/1.1 400"},
      {post(R"({"apiVersion":"v1","kind":"Pod"})"), "HTTP/1.1 400"},
      {post(std::string(1 << 20, '\xff')), "HTTP/1.1 400"},
      {post(good_review(), "text/plain"), "HTTP/1.1 415"},
      {post(good_review(), "application/jsonp"), "HTTP/1.1 415"},
      {post(good_review(), "application/json", "/mutate"), "HTTP/1.1 404"},
      {"GET /validate HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 405"},
      {"GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n", "HTTP/1.1 431"},
      {"POST /validate HTTP/1.1\r\nHost: h\r\nContent-Length: 20971520\r\n\r\n", "HTTP/1.1 413"},
      {"POST /validate HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", "HTTP/1.1 413"},
      {"\x16\x03\x01 nonsense\r\n\r\n", "HTTP/1.1 400"},
  };
  for (const auto& [request, status] : cases) {
    Client client(world);
    EXPECT_THAT(client.ask(request), StartsWith(status)) << request.substr(0, 80);
    expect_judges(world);
  }
  EXPECT_EQ(world.judged, static_cast<int>(cases.size())) << "only the reviews reached the loop";
}

TEST(WebhookServer, TakesNoMoreOfAHugeBodyThanItsLimit) {
  World world;
  Client client(world);
  client.send(
      "POST /validate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "100000\r\n" + std::string(1 << 20, ' ') + "\r\n";
  for (int i = 0; i < 20; ++i) client.send(chunk);
  EXPECT_THAT(client.receive(), testing::AnyOf(StartsWith("HTTP/1.1 413"), testing::IsEmpty()))
      << "the refusal may be lost when the server stops to read";
  expect_judges(world);
}

TEST(WebhookServer, EndsAConnectionThatIsTooSlowAndServesOthersMeanwhile) {
  World world;
  std::vector<std::unique_ptr<Client>> slow;
  for (uint32_t i = 0; i + 1 < kMaxConnections; ++i) {
    slow.push_back(std::make_unique<Client>(world));
    slow.back()->send("POST /validate HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{");
  }
  expect_judges(world);
  slow.push_back(std::make_unique<Client>(world));  // now nobody else gets in …
  slow.back()->send("POST /validate HTTP/1.1\r\n");
  expect_judges(world);  // … until the slow ones have been sent away
  for (auto& client : slow) EXPECT_EQ(client->receive(), "");
}

// None of them would have run into a limit of time: an idle connection is kept for a minute and a half.
TEST(WebhookServer, AnswersTheApiServerThoughStrangersHoldAllConnections) {
  World world;
  Client known(world);
  EXPECT_THAT(known.ask(post(good_review())), HasSubstr(R"("allowed":true)"));
  std::vector<std::unique_ptr<Client>> strangers;
  for (uint32_t i = 0; i + 1 < kMaxConnections; ++i) strangers.push_back(std::make_unique<Client>(world));
  expect_judges(world);
  EXPECT_EQ(strangers.front()->receive(), "") << "it has made room";
  EXPECT_THAT(known.ask(post(good_review())), HasSubstr(R"("allowed":true)")) << "who was answered before stays";
  EXPECT_THAT(strangers.back()->ask(post(good_review())), HasSubstr(R"("allowed":true)"));
  for (int i = 0; i < 100; ++i) expect_judges(world);
}

TEST(WebhookServer, RefusesMoreThanItCanKeepWaiting) {
  World world;
  world.stop_loop();
  std::vector<std::unique_ptr<Client>> crowd;
  for (int i = 0; i < kMaxInFlight + 1; ++i) {
    crowd.push_back(std::make_unique<Client>(world));
    crowd.back()->send(post(good_review()));
  }
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while (world.count(WebhookOutcome::kBusy) == 0 && absl::Now() < give_up) std::this_thread::yield();
  world.run_loop();
  int judged = 0;
  int refused = 0;
  for (auto& client : crowd) {
    const std::string answer = client->receive();
    judged += answer.starts_with("HTTP/1.1 200");
    refused += answer.starts_with("HTTP/1.1 503");
  }
  EXPECT_EQ(judged, kMaxInFlight);
  EXPECT_EQ(refused, 1);
  expect_judges(world);
}

TEST(WebhookServer, JudgesManyAtOnce) {
  World world;
  std::atomic<int> allowed{0};
  std::vector<std::thread> crowd;
  for (int i = 0; i < 8; ++i) {
    crowd.emplace_back([&] {
      Client client(world);
      for (int n = 0; n < 25; ++n) {
        if (client.ask(post(good_review())).find(R"("allowed":true)") != std::string::npos) ++allowed;
      }
    });
  }
  for (std::thread& thread : crowd) thread.join();
  EXPECT_EQ(allowed, 200);
}

TEST(WebhookServer, ShowsANewCertificateToNewConnectionsAndKeepsTheOldOnesOpen) {
  World world;
  Client old(world);
  EXPECT_EQ(old.server_name(), "first");
  EXPECT_FALSE(world.webhook->rotate({"no pem", "no key", ""}).ok());
  EXPECT_EQ(Client(world).server_name(), "first") << "what is not usable changes nothing";
  ASSERT_TRUE(world.webhook->rotate(world.authority.issue("second")).ok());
  EXPECT_EQ(Client(world).server_name(), "second");
  EXPECT_THAT(old.ask(post(good_review())), HasSubstr(R"("allowed":true)"));
}

TEST(WebhookServer, LeavesNobodyWaitingWhenItEnds) {
  base::Loop loop;
  base::ManualClock clock;
  net::Handler handler;
  const ServerFactory listen = [&](const net::HttpServerOptions&, const net::ServerTls&, net::Handler given) {
    handler = std::move(given);
    return absl::StatusOr<std::unique_ptr<net::HttpServer>>(std::make_unique<ClosedServer>());
  };
  auto webhook = WebhookServer::start(listen, "", 1, {}, loop, clock, [](const Review&) { return Findings{}; }).value();
  net::ServerRequest request{"POST", "/validate", {{"Content-Type", "application/json"}}, good_review(), ""};
  int status = 0;
  handler(request, net::Responder([&](net::ServerResponse response) { status = response.status; }));
  webhook.reset();
  EXPECT_EQ(status, 0);
  loop.run_ready();
  EXPECT_EQ(status, 503);
}

}  // namespace
}  // namespace tidegate::operator_
