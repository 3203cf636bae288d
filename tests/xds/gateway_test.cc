// The data plane as users and operator see it: real proxy, real TLS, real requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/free_port.h"
#include "base/strings.h"
#include "xds/backend.h"
#include "xds/gateway_world.h"
#include "xds/socket.h"

namespace tidegate::xds {
namespace {

using metrics::Outcome;
using ::testing::HasSubstr;

constexpr char kHost[] = "digits.demo.svc";
constexpr char kOld[] = "digits-00000001";
constexpr char kNew[] = "digits-00000002";

class Gateway : public GatewayWorld {
 protected:
  // The object at `resource_version`, with `new_weight` per cent for the new revision.
  traffic::Program digits(int resource_version, int new_weight) const {
    const auto port = [](int number) { return static_cast<uint16_t>(number); };
    traffic::Program program;
    program.namespace_ = "demo";
    program.name = "digits";
    program.uid = "1";
    program.resource_version = std::to_string(resource_version);
    program.revisions = {{kOld, 100 - new_weight, {{"127.0.0.1", port(old_.port()), port(grpc_.port())}}},
                         {kNew, new_weight, {{"127.0.0.1", port(new_.port()), port(grpc_.port())}}}};
    return program;
  }

  void start(const traffic::Program& program) {
    start_server();
    publish({program});
    start_envoy();
    ASSERT_TRUE(applied());
    ASSERT_TRUE(eventually([&] { return client().get("/ok").has_value(); }));
    first_requests_ = 1;
  }

  Client client(const std::string& host = kHost) const { return {ports_.requests, host}; }

  metrics::Counters counters(const std::string& revision, bool histograms = false) {
    return scrape(histograms).clusters[base::cat("demo/digits/", revision)].counters;
  }

  RestBackend old_{kOld};
  RestBackend new_{kNew};
  GrpcBackend grpc_;
  int first_requests_ = 0;  // sent by start() to find out that the proxy serves, to the old revision if weight is 0
};

TEST_F(Gateway, WeightsMoveUnderLoadWithoutAFailedRequestAndEveryRequestIsCounted) {
  start(digits(100, 0));
  std::atomic<bool> stop = false;
  std::atomic<int> failed = 0;
  std::atomic<int> to_old = first_requests_;
  std::atomic<int> to_new = 0;
  std::vector<std::thread> users;
  for (int i = 0; i < 3; ++i) {
    users.emplace_back([&] {
      Client user = client();
      while (!stop) {
        const auto answer = user.get("/v1/models/digits:predict");
        const std::string revision = answer ? answer->header("x-tidegate-revision") : "";
        const bool good = answer && answer->status() == 200 && answer->body == revision;
        (!good ? failed : revision == kOld ? to_old : to_new)++;
      }
    });
  }
  int version = 100;
  for (const int weight : {5, 25, 50, 75, 100, 50, 0, 100}) {
    publish({digits(++version, weight)});
    EXPECT_TRUE(applied());
    const int seen = to_old + to_new;
    EXPECT_TRUE(eventually([&] { return to_old + to_new > seen + 200; }));
  }
  // The last weight is 100: what is asked for from here on reaches the old revision no more.
  const int old_before = old_.requests();
  const int new_before = new_.requests();
  EXPECT_TRUE(eventually([&] { return new_.requests() > new_before + 200; }));
  EXPECT_EQ(old_.requests(), old_before);
  stop = true;
  for (std::thread& user : users) user.join();

  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(eventually([&] { return counters(kOld).finished == static_cast<uint64_t>(to_old); }));
  EXPECT_TRUE(eventually([&] { return counters(kNew).finished == static_cast<uint64_t>(to_new); }));
  EXPECT_EQ(counters(kOld).errors() + counters(kNew).errors(), 0u);
  EXPECT_TRUE(eventually([&] {
    uint64_t measured = 0;
    for (const metrics::LatencyBucket& bucket : counters(kNew, true).latency) measured += bucket.count;
    return measured == static_cast<uint64_t>(to_new);
  }));
}

TEST_F(Gateway, CountsEveryRequestOnceByHowItEnded) {
  traffic::Program program = digits(1, 0);
  program.timeout = absl::Milliseconds(300);
  program.retries = 0;
  start(program);
  Client user = client();
  for (const char* word : {"ok", "404", "400", "model", "model", "model500", "429", "500", "503", "hang", "close"}) {
    ASSERT_TRUE(user.get(base::cat("/", word))) << word;
  }
  EXPECT_TRUE(eventually([&] { return counters(kOld).finished == 11u + first_requests_; }));
  metrics::Counters rest = counters(kOld);
  EXPECT_EQ(rest.of(Outcome::kOk), 1u + first_requests_);
  EXPECT_EQ(rest.of(Outcome::kClientError), 2u);
  EXPECT_EQ(rest.of(Outcome::kModel), 3u);
  EXPECT_EQ(rest.of(Outcome::kTooMany), 1u);
  EXPECT_EQ(rest.of(Outcome::kServerError), 2u);
  EXPECT_EQ(rest.of(Outcome::kTimeout), 1u);
  EXPECT_EQ(rest.of(Outcome::kReset), 1u);
  EXPECT_EQ(rest.errors(), 8u);

  const metrics::GatewayScrape before = scrape(false);
  for (const auto& [method, code] : std::vector<std::pair<std::string, int>>{
           {"0", 0}, {"model", 3}, {"3", 3}, {"5", 5}, {"4", 4}, {"8", 8}, {"13", 13}, {"14", 14}}) {
    EXPECT_EQ(call_grpc(ports_.requests, kHost, method), code);
  }
  EXPECT_TRUE(eventually([&] { return counters(kOld).finished == rest.finished + 8; }));
  const metrics::Counters grpc = metrics::difference(before, scrape(false)).clusters[base::cat("demo/digits/", kOld)];
  EXPECT_EQ(grpc.of(Outcome::kOk), 1u);
  EXPECT_EQ(grpc.of(Outcome::kModel), 1u);
  EXPECT_EQ(grpc.of(Outcome::kClientError), 2u);
  EXPECT_EQ(grpc.of(Outcome::kTimeout), 1u);
  EXPECT_EQ(grpc.of(Outcome::kTooMany), 1u);
  EXPECT_EQ(grpc.of(Outcome::kServerError), 2u);
}

TEST_F(Gateway, AClientThatGoesAwaySaysNothingAboutTheModel) {
  start(digits(1, 0));
  {
    std::optional<Socket> impatient = Socket::connect(ports_.requests);
    ASSERT_TRUE(impatient);
    impatient->write("GET /hang HTTP/1.1\r\nHost: digits.demo\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return old_.requests() == 1 + first_requests_; }));
  }
  EXPECT_TRUE(eventually([&] { return counters(kOld).of(Outcome::kCancelled) == 1; }));
  EXPECT_EQ(counters(kOld).total(), static_cast<uint64_t>(first_requests_));
  EXPECT_EQ(counters(kOld).errors(), 0u);
}

TEST_F(Gateway, AnswersForItselfInJson) {
  traffic::Program program = digits(1, 0);
  program.timeout = absl::Milliseconds(200);
  program.hosts = {"digits.example.org"};
  start(program);
  const auto unknown = client("nobody.demo.svc").get("/v1/models/digits");
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->status(), 404);
  EXPECT_EQ(unknown->header("content-type"), "application/json");
  EXPECT_THAT(unknown->body, HasSubstr(R"({"error":"No ModelDeployment has this host)"));

  const auto late = client().get("/hang");
  ASSERT_TRUE(late);
  EXPECT_EQ(late->status(), 504);
  EXPECT_EQ(late->header("x-tidegate-revision"), kOld);
  EXPECT_THAT(late->body, HasSubstr("did not answer within spec.traffic.timeout"));

  for (const char* host :
       {"digits.demo", "digits.demo.svc:80", "DIGITS.demo.svc.cluster.local", "digits.example.org"}) {
    const auto answer = client(host).get("/ok");
    ASSERT_TRUE(answer) << host;
    EXPECT_EQ(answer->status(), 200) << host;
  }
  const auto by_path = client("127.0.0.1").get("/demo/digits/ok");
  ASSERT_TRUE(by_path);
  EXPECT_EQ(by_path->status(), 200);
  EXPECT_EQ(by_path->header("x-tidegate-revision"), kOld);
  for (const char* path : {"/demo/nobody/ok", "/demo/digits", "/demo", "/", "/demo/nobody/demo/digits/ok"}) {
    const auto unknown_path = client("127.0.0.1").get(path);
    ASSERT_TRUE(unknown_path) << path;
    EXPECT_EQ(unknown_path->status(), 404) << path;
  }

  program.resource_version = "2";
  for (traffic::Revision& revision : program.revisions) revision.endpoints.clear();
  publish({program});
  ASSERT_TRUE(applied());
  const auto nobody = client().get("/ok");
  ASSERT_TRUE(nobody);
  EXPECT_EQ(nobody->status(), 503);
  EXPECT_EQ(nobody->header("x-tidegate-revision"), kOld);
  EXPECT_THAT(nobody->body, HasSubstr("No pod of this revision is ready"));
}

TEST_F(Gateway, MoreRequestsAtOnceThanAllowedAreAnswered503) {
  traffic::Program program = digits(1, 0);
  program.max_concurrency = 2;
  start(program);
  std::vector<Socket> running;
  for (int i = 0; i < 2; ++i) {
    running.push_back(*Socket::connect(ports_.requests));
    running.back().write("GET /hang HTTP/1.1\r\nHost: digits.demo\r\n\r\n");
  }
  EXPECT_TRUE(eventually([&] { return old_.requests() == 2 + first_requests_; }));
  const auto third = client().get("/ok");
  ASSERT_TRUE(third);
  EXPECT_EQ(third->status(), 503);
  EXPECT_THAT(third->body, HasSubstr("maxConcurrency"));
}

TEST_F(Gateway, ARefusedConnectionIsRetriedOnAnotherPod) {
  traffic::Program program = digits(1, 0);
  program.revisions[0].endpoints.push_back({"127.0.0.1", static_cast<uint16_t>(base::free_port()), 0});
  start(program);
  for (int i = 0; i < 20; ++i) {
    const auto answer = client().get("/ok");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status(), 200);
  }
  EXPECT_EQ(old_.requests(), 20 + first_requests_);
}

TEST_F(Gateway, ReportsAVersionInWhichNothingElseChanged) {
  start(digits(100, 0));
  publish({digits(170, 0)});
  ASSERT_TRUE(applied());
  EXPECT_TRUE(eventually([&] { return scrape(false).applied_version == "170"; }));
}

TEST_F(Gateway, IsSentNothingButWhatChanged) {
  traffic::Program other = digits(50, 0);
  other.name = "cats";
  other.uid = "2";
  start_server();
  publish({digits(100, 0), other});
  start_envoy();
  ASSERT_TRUE(applied());
  const uint64_t before = server->status().responses;
  publish({digits(101, 50), other});
  ASSERT_TRUE(applied());
  EXPECT_EQ(server->status().responses, before + 2) << "a virtual host, and the version";
  publish({digits(102, 50), other});
  ASSERT_TRUE(applied());
  EXPECT_EQ(server->status().responses, before + 3);
}

TEST_F(Gateway, OneObjectThatItRefusesKeepsNoOtherBack) {
  start_server();
  std::vector<traffic::Program> programs;
  for (int i = 0; i < 9; ++i) {
    programs.push_back(digits(100 + i, 0));
    programs.back().name = i == 0 ? "digits" : base::cat("digits", i);
    programs.back().uid = base::cat(i);
  }
  publish(programs);
  start_envoy();
  ASSERT_TRUE(applied());
  ASSERT_TRUE(eventually([&] { return client().get("/ok").has_value(); }));

  for (traffic::Program& program : programs) {
    program.revisions[0].weight = 0;
    program.revisions[1].weight = 100;
    program.resource_version = base::cat(200 + std::stoi(program.uid));
  }
  traffic::Programs shared;
  for (const auto& program : programs) shared.push_back(std::make_shared<const traffic::Program>(program));
  built = traffic::build(std::move(shared), settings, &*built);
  auto broken = std::make_shared<traffic::Snapshot>(*built->snapshot);
  for (auto& group : broken->groups) {
    if (group->owner.name != "digits5") continue;
    auto damaged = std::make_shared<traffic::ResourceGroup>(*group);
    damaged->of(traffic::ResourceType::kVirtualHost).front().bytes = "\x0a\x14tidegate/demo.digits5";  // no domains
    damaged->of(traffic::ResourceType::kVirtualHost).front().version = "205-broken";
    group = damaged;
  }
  server->publish(broken);
  ASSERT_TRUE(eventually([&] { return node() && node()->applied.resource_version == 208; }));
  EXPECT_THAT(node()->applied.without, testing::ElementsAre("demo/digits5"));
  ASSERT_THAT(node()->rejections, testing::SizeIs(1));
  EXPECT_EQ(node()->rejections[0].object, "demo/digits5");
  EXPECT_FALSE(node()->rejections[0].message.empty());
  EXPECT_TRUE(eventually([&] { return scrape(false).applied_version == "208 without demo/digits5"; }));
  EXPECT_EQ(client("digits5.demo.svc").get("/ok")->header("x-tidegate-revision"), kOld);
  for (const char* host : {"digits.demo.svc", "digits4.demo.svc", "digits6.demo.svc", "digits8.demo.svc"}) {
    EXPECT_EQ(client(host).get("/ok")->header("x-tidegate-revision"), kNew) << host;
  }

  publish({programs[0]});
  ASSERT_TRUE(applied());
  EXPECT_THAT(node()->rejections, testing::IsEmpty());
}

TEST_F(Gateway, IsNotTakenBackByAReplicaThatKnowsLess) {
  start(digits(200, 0));
  start_server();  // another replica, at the same address
  built.reset();
  publish({digits(100, 100)});
  ASSERT_TRUE(eventually([&] { return node() && node()->waiting; }));
  EXPECT_EQ(server->status().responses, 0u);
  EXPECT_EQ(client().get("/ok")->header("x-tidegate-revision"), kOld);

  publish({digits(201, 100)});
  ASSERT_TRUE(applied());
  EXPECT_FALSE(node()->waiting);
  EXPECT_EQ(client().get("/ok")->header("x-tidegate-revision"), kNew);
}

TEST_F(Gateway, IsSentNothingByAReplicaThatKnowsTheSame) {
  start(digits(200, 50));
  start_server();
  publish({digits(200, 50)});
  ASSERT_TRUE(applied());
  EXPECT_EQ(server->status().responses, 0u);
}

TEST_F(Gateway, IsNotReadyBeforeItsFirstConfiguration) {
  start_server();
  start_envoy();
  ASSERT_TRUE(eventually([&] { return node().has_value(); }));
  EXPECT_EQ(server->status().responses, 0u);
  EXPECT_FALSE(Socket::connect(ports_.readiness));
  publish({digits(1, 0)});
  EXPECT_TRUE(eventually([&] {
    const auto answer = Client(ports_.readiness, "localhost").get("/ready");
    return answer && answer->status() == 200;
  }));
}

TEST_F(Gateway, IsReadyWhenThereIsNoObjectYet) {
  start_server();
  publish({});
  start_envoy();
  EXPECT_TRUE(applied());
  EXPECT_TRUE(eventually([&] {
    const auto answer = Client(ports_.readiness, "localhost").get("/ready");
    return answer && answer->status() == 200;
  }));
  const auto unknown = client().get("/ok");
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->status(), 404);
  publish({digits(1, 0)});
  ASSERT_TRUE(applied());
  EXPECT_TRUE(eventually([&] { return client().get("/ok")->status() == 200; }));
  publish({});
  ASSERT_TRUE(applied());
  EXPECT_TRUE(eventually([&] { return client().get("/ok")->status() == 404; }));
}

TEST_F(Gateway, LosesTheReplicaThatWithdrawsAndGoesBackToItWhenItServesAgain) {
  start(digits(1, 0));
  server->withdraw();
  EXPECT_FALSE(node().has_value());
  EXPECT_FALSE(server->status().listening);
  EXPECT_FALSE(Socket::connect(ports_.xds)) << "a proxy would come back to a replica whose view may be stale";
  EXPECT_EQ(client().get("/ok")->status(), 200);
  publish({digits(2, 100)});
  ASSERT_TRUE(applied());
  EXPECT_EQ(client().get("/ok")->header("x-tidegate-revision"), kNew);
}

TEST_F(Gateway, StatisticsAreForTheOperatorOnly) {
  start(digits(1, 0));
  EXPECT_EQ(get_statistics("/ready", operator_identity())->status, 200);
  EXPECT_EQ(get_statistics("/quitquitquit", operator_identity())->status, 404);
  EXPECT_FALSE(get_statistics("/ready", gateway_identity()).ok());
  net::TlsIdentity nobody;
  nobody.ca_pem = authority_.certificate_pem;
  EXPECT_FALSE(get_statistics("/ready", nobody).ok());
}

TEST_F(Gateway, LoadsARenewedCertificateWithoutARestart) {
  start(digits(1, 0));
  const net::KeyPair successor = net::make_authority({.now = absl::Now()}).value();
  net::TlsIdentity client_of_both = operator_identity();
  client_of_both.ca_pem = successor.certificate_pem;  // trusts only what the new authority signed
  EXPECT_FALSE(get_statistics("/ready", client_of_both).ok());

  net::TlsIdentity renewed = identity(successor, {.uris = {"spiffe://tidegate/gateway"}});
  renewed.ca_pem += authority_.certificate_pem;
  install_certificate(renewed);
  EXPECT_TRUE(eventually([&] { return get_statistics("/ready", client_of_both).ok(); }));
  EXPECT_TRUE(node());
}

TEST_F(Gateway, StreamsStayOpenWhenTheServersCertificateIsRotated) {
  start(digits(1, 0));
  const std::string peer = node()->peer;
  const net::KeyPair successor = net::make_authority({.now = absl::Now()}).value();
  net::TlsIdentity rotated =
      identity(successor, {.dns_names = {"tidegate-xds.tidegate-system.svc"}, .uris = {"spiffe://tidegate/operator"}});
  rotated.ca_pem += authority_.certificate_pem;
  ASSERT_TRUE(server->rotate(rotated).ok());
  publish({digits(2, 100)});
  ASSERT_TRUE(applied());
  EXPECT_EQ(node()->peer, peer);

  // New connections see the successor's certificate: one that trusts the successor alone gets through.
  net::TlsIdentity gateway = gateway_identity();
  gateway.ca_pem = successor.certificate_pem;
  EXPECT_TRUE(get_from_server("/", gateway).ok());
  gateway.ca_pem = authority_.certificate_pem;
  EXPECT_FALSE(get_from_server("/", gateway).ok());
}

TEST_F(Gateway, OnlyAGatewaysIdentityMaySubscribe) {
  start_server();
  publish({digits(1, 0)});
  const auto subscribe_as = [&](const net::TlsIdentity& identity) {
    return subscribe(ports_.xds, "tidegate-xds.tidegate-system.svc", identity);
  };
  EXPECT_EQ(subscribe_as(gateway_identity()), grpc::StatusCode::OK);
  EXPECT_EQ(subscribe_as(operator_identity()), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(subscribe_as(identity(authority_, {.uris = {"spiffe://tidegate/gateway/other"}})),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(server->status().refused_clients, 2u);
  net::TlsIdentity nobody;
  nobody.ca_pem = authority_.certificate_pem;
  EXPECT_EQ(subscribe_as(nobody), grpc::StatusCode::UNAVAILABLE);
  net::TlsIdentity stranger =
      identity(net::make_authority({.now = absl::Now()}).value(), {.uris = {"spiffe://tidegate/gateway"}});
  stranger.ca_pem = authority_.certificate_pem;
  EXPECT_EQ(subscribe_as(stranger), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Gateway, DrainsBeforeItStops) {
  start(digits(1, 0));
  std::thread drain([&] {
    const std::string command = base::cat("DRAIN_SPREAD_SECONDS=0 DRAIN_SECONDS=20 bash ", config_path("drain.sh"));
    EXPECT_EQ(std::system(command.c_str()), 0);
  });
  EXPECT_TRUE(eventually([&] {
    const auto ready = Client(ports_.readiness, "localhost").get("/ready");
    return ready && ready->status() == 503;
  }));
  drain.join();
  const auto last = client().get("/ok");
  ASSERT_TRUE(last);
  EXPECT_EQ(last->status(), 200);
  EXPECT_EQ(last->header("connection"), "close");
}

}  // namespace
}  // namespace tidegate::xds
