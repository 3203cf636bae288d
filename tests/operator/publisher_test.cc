#include "operator/publisher/traffic_publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/json.h"
#include "base/strings.h"
#include "kube/kube_fixture.h"
#include "operator/publisher/programs.h"
#include "operator/rendering/names.h"
#include "samples.h"

namespace tidegate::operator_ {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class FakeXds : public xds::Server {
 public:
  int port() const override { return 0; }
  void publish(std::shared_ptr<const traffic::Snapshot> snapshot) override { published.push_back(std::move(snapshot)); }
  void withdraw() override { ++withdrawn; }
  absl::Status rotate(const net::TlsIdentity&) override { return absl::OkStatus(); }
  void confirm_newcomers(uint64_t) override {}
  xds::ServerStatus status() const override {
    if (on_status) on_status();
    return state;
  }
  void shutdown() override {}

  std::vector<std::shared_ptr<const traffic::Snapshot>> published;
  int withdrawn = 0;
  xds::ServerStatus state;
  std::function<void()> on_status;
};

class Publisher : public kube::KubeTest {
 protected:
  Publisher() {
    publisher_ = std::make_unique<TrafficPublisher>(stores_, xds_, clock_, "cluster.local",
                                                    [this](const base::ObjectKey& key) { told_.push_back(key.name); });
    stores_.models.add_handlers({[this](const auto& key, const auto&) { publisher_->changed(key); },
                                 [this](const auto& key, const auto&, const auto&) { publisher_->changed(key); },
                                 [this](const auto& key, const auto&) { publisher_->changed(key); }});
  }
  ~Publisher() override {
    scope_.cancel();
    settle();
  }
  void start() {
    stores_.start(loop_, scope_);
    loop_.spawn(publisher_->run(scope_));
    settle();
  }
  void put(const std::string& name, std::vector<api::TrafficShare> traffic, std::vector<std::string> hosts = {}) {
    api::ModelDeployment object = sample_object();
    object.status.traffic = std::move(traffic);
    object.spec.traffic.hosts = std::move(hosts);
    server_.put(model_deployments(), {{"metadata", {{"name", name}, {"namespace", "demo"}}},
                                      {"spec", api::to_json(object.spec)},
                                      {"status", api::to_json(object.status)}});
    settle();
  }
  // `containers_ready`: the kubelet's word, which the node controller leaves when it takes the pod's readiness back.
  void put_pod(const std::string& name, const std::string& revision, const std::string& ip, bool ready,
               bool containers_ready = false) {
    kube::Json pod = {
        {"metadata",
         {{"name", name},
          {"namespace", "demo"},
          {"labels", {{kManagedByLabel, kManagedByValue}, {kDeploymentLabel, "digits"}, {kRevisionLabel, revision}}}}},
        {"status",
         {{"phase", "Running"},
          {"podIP", ip},
          {"conditions",
           kube::Json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}},
                              {{"type", "ContainersReady"}, {"status", containers_ready ? "True" : "False"}}})}}}};
    server_.put(kube::resources::pods(), pod);
    settle();
  }

  Stores stores_{client_, clock_, random_, "tidegate-system"};
  FakeXds xds_;
  std::vector<std::string> told_;
  std::unique_ptr<TrafficPublisher> publisher_;
};

TEST_F(Publisher, SaysNothingBeforeEveryStoreIsSynced) {
  server_.intercept = [](const net::HttpRequest& request) -> std::optional<kube::FakeApiServer::Answer> {
    if (request.url.find("/services") == std::string::npos) return std::nullopt;
    return absl::UnavailableError("not yet");
  };
  put("digits", {{"digits-1", 100}});
  start();
  pass(absl::Seconds(10));
  EXPECT_THAT(xds_.published, IsEmpty());
  EXPECT_FALSE(publisher_->serving());
  server_.intercept = nullptr;
  pass(absl::Seconds(60));
  EXPECT_TRUE(publisher_->serving());
}

TEST_F(Publisher, GathersABurstOfChangesIntoOneSnapshot) {
  start();
  pass(absl::Seconds(1));
  const size_t before = xds_.published.size();
  for (int i = 0; i < 20; ++i) put("digits", {{base::cat("digits-", i), 100}});
  pass(TrafficPublisher::kDebounce);
  EXPECT_EQ(xds_.published.size(), before + 1);
  EXPECT_GE(xds_.published.back()->resource_version, server_.resource_version());
}

TEST_F(Publisher, KeepsSnapshotsApartWhileObjectsMoveOneAfterAnother) {
  start();
  pass(absl::Seconds(1));
  const size_t before = xds_.published.size();
  put("digits", {{"digits-0", 100}});
  pass(TrafficPublisher::kDebounce);
  EXPECT_EQ(xds_.published.size(), before + 1) << "the first does not wait";
  for (int i = 1; i <= 10; ++i) {
    put("digits", {{base::cat("digits-", i), 100}});
    pass(TrafficPublisher::kApart / 5);
  }
  EXPECT_EQ(xds_.published.size(), before + 3);
  pass(TrafficPublisher::kApart);
  EXPECT_EQ(xds_.published.back()->resource_version, server_.resource_version()) << "and the last is not forgotten";
}

TEST_F(Publisher, MakesAnewOnlyWhatChanged) {
  put("cats", {{"cats-1", 100}});
  put("digits", {{"digits-1", 100}});
  start();
  pass(absl::Seconds(1));
  EXPECT_EQ(publisher_->metrics().rebuilt, 2u);
  put("digits", {{"digits-1", 50}, {"digits-2", 50}});
  pass(absl::Seconds(1));
  EXPECT_EQ(publisher_->metrics().rebuilt, 3u);
  server_.erase(model_deployments(), {"demo", "cats"});
  pass(absl::Seconds(1));
  EXPECT_EQ(publisher_->metrics().rebuilt, 3u);
  EXPECT_EQ(xds_.published.back()->find({"demo", "cats"}), nullptr);
  EXPECT_NE(xds_.published.back()->find({"demo", "digits"}), nullptr);
}

TEST_F(Publisher, GoesOnSendingToPodsThatKubernetesCallsNotReadyAllAtOnce) {
  put("digits", {{"digits-1", 75}, {"digits-2", 25}});
  put_pod("a", "digits-1", "10.0.0.1", false, true);
  put_pod("b", "digits-2", "10.0.0.2", false, true);
  start();
  const auto endpoints = [&] { return make_program(stores_, {"demo", "digits"})->revisions; };
  EXPECT_THAT(endpoints()[0].endpoints, SizeIs(1));
  EXPECT_THAT(endpoints()[1].endpoints, SizeIs(1));
  put_pod("b", "digits-2", "10.0.0.2", true, true);
  EXPECT_THAT(endpoints()[0].endpoints, IsEmpty());
  EXPECT_THAT(endpoints()[1].endpoints, SizeIs(1));
}

TEST_F(Publisher, SendsOnlyToPodsThatAreReadyAndStay) {
  put("digits", {{"digits-1", 75}, {"digits-2", 25}});
  put_pod("a", "digits-1", "10.0.0.1", true);
  put_pod("b", "digits-1", "10.0.0.2", false);
  put_pod("c", "digits-2", "10.0.0.3", true);
  put_pod("d", "digits-3", "10.0.0.4", true);  // no part of status
  start();
  pass(absl::Seconds(1));
  const auto made = make_program(stores_, {"demo", "digits"});
  ASSERT_NE(made, nullptr);
  EXPECT_THAT(made->revisions, ElementsAre(traffic::Revision{"digits-1", 75, {{"10.0.0.1", 8501, 8500}}},
                                           traffic::Revision{"digits-2", 25, {{"10.0.0.3", 8501, 8500}}}));
  EXPECT_EQ(made->resource_version, "101");
  EXPECT_EQ(make_program(stores_, {"demo", "nobody"}), nullptr);
}

TEST_F(Publisher, WithdrawsWhenTheApiServerHasBeenSilentForTooLong) {
  put("digits", {{"digits-1", 100}});
  start();
  pass(TrafficPublisher::kStaleAfter - absl::Seconds(10));
  EXPECT_EQ(xds_.withdrawn, 0);
  pass(absl::Seconds(20));
  EXPECT_EQ(xds_.withdrawn, 1);
  EXPECT_FALSE(publisher_->serving());
  server_.bookmark();
  pass(absl::Seconds(2));
  EXPECT_TRUE(publisher_->serving());
}

TEST_F(Publisher, TellsWhoseHostWasRefusedAndWhenThatIsOver) {
  put("digits", {{"digits-1", 100}}, {"a.svc"});
  start();
  pass(absl::Seconds(1));
  ASSERT_TRUE(publisher_->error_of({"demo", "digits"}).has_value());
  EXPECT_EQ(publisher_->error_of({"demo", "digits"})->reason, "HostRefused");
  put("digits", {{"digits-1", 100}});
  pass(absl::Seconds(1));
  EXPECT_FALSE(publisher_->error_of({"demo", "digits"}).has_value());
  EXPECT_THAT(told_, ElementsAre("digits", "digits"));
}

TEST_F(Publisher, LetsAProxyGoOnThatKnewMore) {
  start();
  pass(absl::Seconds(1));
  const size_t before = xds_.published.size();
  pass(absl::Seconds(5));
  EXPECT_EQ(xds_.published.size(), before) << "nothing has changed";
  xds_.state.nodes.resize(1);
  xds_.state.nodes[0].waiting = true;
  publisher_->proxies_changed();
  pass(absl::Seconds(2));
  EXPECT_EQ(xds_.published.size(), before + 2) << "once a second";
  for (int i = 0; i < 20; ++i) {
    publisher_->proxies_changed();
    pass(absl::Milliseconds(100));
  }
  EXPECT_EQ(xds_.published.size(), before + 4) << "however often the proxies say something";
  xds_.state.nodes[0].waiting = false;
  pass(absl::Seconds(5));
  EXPECT_EQ(xds_.published.size(), before + 4);
}

TEST_F(Publisher, SleepsWhileNothingChanges) {
  put("digits", {{"digits-1", 100}});
  start();
  pass(absl::Seconds(5));
  int looks = 0;
  xds_.on_status = [&looks] { ++looks; };
  pass(absl::Minutes(2));
  EXPECT_LE(looks, 1);
  server_.bookmark();
  pass(absl::Minutes(2));
  EXPECT_LE(looks, 3) << "a bookmark wakes nobody; it moves the moment when the stores are stale";
  EXPECT_TRUE(publisher_->serving());
}

}  // namespace
}  // namespace tidegate::operator_
