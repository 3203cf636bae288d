// Gateways that have just started are told nothing older than what the API server knows.
#include "operator/publisher/newcomers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "kube/kube_fixture.h"
#include "operator/stores.h"

namespace tidegate::operator_ {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class FakeXds : public xds::Server {
 public:
  int port() const override { return 0; }
  void publish(std::shared_ptr<const traffic::Snapshot>) override {}
  void confirm_newcomers(uint64_t resource_version) override {
    confirmed.push_back(resource_version);
    for (xds::NodeStatus& node : state.nodes) node.newcomer = false;
  }
  void withdraw() override {}
  absl::Status rotate(const net::TlsIdentity&) override { return absl::OkStatus(); }
  xds::ServerStatus status() const override { return state; }
  void shutdown() override {}

  void arrive() {
    state.nodes.emplace_back();
    state.nodes.back().newcomer = true;
  }
  xds::ServerStatus state;
  std::vector<uint64_t> confirmed;
};

// Answers nothing until it is given up.
class SilentHttp : public net::HttpClient {
 public:
  explicit SilentHttp(base::Clock& clock) : clock_(clock) {}
  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest, base::Scope& scope) override {
    co_await base::sleep_for(clock_, absl::Hours(1), scope);
    co_return absl::CancelledError("given up");
  }

 private:
  base::Clock& clock_;
};

class NewcomersTest : public kube::KubeTest {
 protected:
  ~NewcomersTest() override {
    scope_.cancel();
    settle();
  }
  void start(kube::Client& client) {
    newcomers_.emplace(client, clock_, [this] { return &xds_; });
    loop_.spawn(newcomers_->run(scope_));
    settle();
  }
  void look() {
    newcomers_->look();
    settle();
  }

  FakeXds xds_;
  std::optional<Newcomers> newcomers_;
};

TEST_F(NewcomersTest, AreConfirmedUpToTheNewestObject) {
  server_.put(model_deployments(), kube::make_object("demo", "a"));
  server_.put(model_deployments(), kube::make_object("demo", "b"));
  const uint64_t newest = server_.resource_version();
  server_.put(kube::resources::secrets(), kube::make_object("demo", "other"));
  start(client_);
  look();
  EXPECT_THAT(xds_.confirmed, IsEmpty()) << "there are none";
  xds_.arrive();
  look();
  EXPECT_THAT(xds_.confirmed, ElementsAre(newest));
  xds_.arrive();
  look();
  EXPECT_THAT(xds_.confirmed, ElementsAre(newest, newest)) << "each is asked for anew";
}

TEST_F(NewcomersTest, AreToldWhatIsKnownWhenTheApiServerSaysNo) {
  server_.intercept = [](const net::HttpRequest&) -> std::optional<kube::FakeApiServer::Answer> {
    return kube::FakeApiServer::Answer(absl::UnavailableError("connection refused"));
  };
  start(client_);
  xds_.arrive();
  look();
  EXPECT_THAT(xds_.confirmed, ElementsAre(0));
}

TEST_F(NewcomersTest, WaitNoLongerThanIsPatient) {
  SilentHttp silent(clock_);
  kube::Client client(silent, config());
  start(client);
  xds_.arrive();
  look();
  pass(Newcomers::kPatience - absl::Milliseconds(1));
  EXPECT_THAT(xds_.confirmed, IsEmpty());
  pass(absl::Milliseconds(1));
  EXPECT_THAT(xds_.confirmed, ElementsAre(0));
  scope_.cancel();  // before the client goes
  settle();
}

}  // namespace
}  // namespace tidegate::operator_
