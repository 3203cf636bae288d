#include "operator/observers/gateway_scraper.h"

#include <gtest/gtest.h>

#include <set>

#include "kube/kube_fixture.h"

namespace tidegate::operator_ {
namespace {

// Gateways that answer nothing of use, at once.
class SilentGateways : public net::HttpClient {
 public:
  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope&) override {
    asked.push_back(request.url);
    co_return net::HttpResponse{503, {}, ""};
  }
  std::vector<std::string> asked;
};

class Scraper : public kube::KubeTest {
 protected:
  ~Scraper() override {
    scope_.cancel();
    settle();
  }
  void put_pod(const std::string& ip) {
    const kube::Json pod = {
        {"metadata",
         {{"name", "gateway-1"}, {"namespace", "tidegate-system"}, {"resourceVersion", std::to_string(++version_)}}},
        {"status", {{"phase", "Running"}, {"podIP", ip}}}};
    pods_.upsert(pod);
    scraper_.wake();
    settle();
  }
  void start() {
    loop_.spawn(scraper_.run(scope_));
    settle();
  }

  int version_ = 0;
  kube::Store<kube::Pod> pods_{"pods", kube::decode_pod, clock_};
  SilentGateways http_;
  MeasurementLedger ledger_;
  std::set<std::string> unconfirmed_;
  int looks_ = 0;
  GatewayScraper scraper_{pods_,
                          http_,
                          ledger_,
                          clock_,
                          loop_,
                          [this] {
                            ++looks_;
                            return unconfirmed_;
                          },
                          [](const std::vector<std::string>&) {},
                          [] {}};
};

TEST_F(Scraper, AsksNothingBeforeItHasAnIdentityAndAGatewayHasAnAddress) {
  start();
  put_pod("");
  scraper_.set_identity({});
  settle();
  EXPECT_TRUE(http_.asked.empty());
  EXPECT_EQ(clock_.next_due(), absl::InfiniteFuture()) << "it sleeps until it is woken";
  put_pod("10.0.0.1");
  EXPECT_EQ(http_.asked.size(), 1u);
}

TEST_F(Scraper, SleepsUntilTheNextRequestIsDue) {
  scraper_.set_identity({});
  put_pod("10.0.0.1");
  start();
  looks_ = 0;
  http_.asked.clear();
  pass(absl::Minutes(10));
  EXPECT_EQ(http_.asked.size(), 20u);
  EXPECT_LE(looks_, 40) << "one for each request, and one for each answer";
}

TEST_F(Scraper, AsksForAWeightThatIsNotConfirmedByItself) {
  scraper_.set_identity({});
  put_pod("10.0.0.1");
  start();
  pass(absl::Seconds(10));
  http_.asked.clear();
  unconfirmed_ = {"gateway-1"};
  scraper_.wake();
  settle();
  EXPECT_TRUE(http_.asked.empty()) << "the proxy is about to say it by itself";
  pass(absl::Milliseconds(250));
  EXPECT_EQ(http_.asked.size(), 1u);
  pass(absl::Seconds(5));
  EXPECT_EQ(http_.asked.size(), 6u);
  unconfirmed_.clear();
  scraper_.wake();
  pass(absl::Seconds(20));
  EXPECT_EQ(http_.asked.size(), 6u);
}

TEST_F(Scraper, TakesTheBaseLineOfANewWindowAtOnce) {
  scraper_.set_identity({});
  put_pod("10.0.0.1");
  start();
  pass(absl::Seconds(10));
  http_.asked.clear();
  ledger_.open({"demo", "digits"}, {"digits-s", "digits-c", clock_.now()});
  scraper_.wake();
  settle();
  EXPECT_EQ(http_.asked.size(), 1u);
}

}  // namespace
}  // namespace tidegate::operator_
