#include "operator/observers/gateway_scraper.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "kube/kube_fixture.h"

namespace tidegate::operator_ {
namespace {

TEST(Scrapes, AreFrequentOnlyWhereTheyAreNeeded) {
  ScrapeState idle;
  idle.since_versions = idle.since_counts = absl::Seconds(29);
  EXPECT_EQ(next_scrape(idle), ScrapeKind::kNone);
  idle.since_versions = absl::Seconds(30);
  EXPECT_EQ(next_scrape(idle), ScrapeKind::kVersions);

  ScrapeState unconfirmed;
  unconfirmed.unconfirmed_for = absl::Seconds(1);
  unconfirmed.since_versions = absl::Seconds(1);
  EXPECT_EQ(next_scrape(unconfirmed), ScrapeKind::kVersions);
  unconfirmed.since_versions = absl::Milliseconds(500);
  EXPECT_EQ(next_scrape(unconfirmed), ScrapeKind::kNone);
  unconfirmed.since_versions = absl::Seconds(20);
  unconfirmed.unconfirmed_for = absl::Milliseconds(10);
  EXPECT_EQ(next_scrape(unconfirmed), ScrapeKind::kNone) << "the proxy is about to say it by itself";

  ScrapeState measuring;
  measuring.measuring = true;
  measuring.since_versions = measuring.since_counts = absl::Seconds(4);
  EXPECT_EQ(next_scrape(measuring), ScrapeKind::kNone);
  measuring.base_line_wanted = true;
  EXPECT_EQ(next_scrape(measuring), ScrapeKind::kBaseLines);
  measuring.since_versions = absl::Milliseconds(50);
  EXPECT_EQ(next_scrape(measuring), ScrapeKind::kNone) << "others may open theirs, too";
  measuring = {absl::Seconds(1), absl::Seconds(5), true, false, std::nullopt};
  EXPECT_EQ(next_scrape(measuring), ScrapeKind::kCounts);
}

TEST(Scrapes, AreDueExactlyWhenTheyWereSaidToBe) {
  base::SeededRandom random(1);
  const auto some = [&random](absl::Duration most) {
    return absl::Floor(most * random.uniform(), absl::Milliseconds(1));
  };
  for (int i = 0; i < 1000; ++i) {
    ScrapeState state{some(absl::Seconds(40)), some(absl::Seconds(8)), random.next() % 2 == 0, random.next() % 2 == 0,
                      std::nullopt};
    if (random.next() % 2 == 0) state.unconfirmed_for = some(absl::Seconds(2));
    const absl::Duration wait = until_next_scrape(state);
    ASSERT_EQ(next_scrape(state) == ScrapeKind::kNone, wait > absl::ZeroDuration());
    const auto later = [&state](absl::Duration by) {
      ScrapeState moved = state;
      moved.since_versions += by;
      moved.since_counts += by;
      if (moved.unconfirmed_for) *moved.unconfirmed_for += by;
      return next_scrape(moved);
    };
    if (wait == absl::ZeroDuration()) continue;
    EXPECT_EQ(later(wait - absl::Milliseconds(1)), ScrapeKind::kNone);
    EXPECT_NE(later(wait), ScrapeKind::kNone);
  }
}

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
