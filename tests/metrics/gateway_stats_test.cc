#include "metrics/gateway_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace tidegate::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kAskedAt = absl::FromUnixSeconds(1'000'000);
constexpr char kBody[] =
    "cluster.demo/digits/digits-1.upstream_rq_active: 3\n"
    "cluster.demo/digits/digits-1/grpc.upstream_rq_active: 1\n"
    "cluster.tidegate-xds.upstream_rq_active: 1\n"
    "cluster.tidegate/version.version_text: \"4711\"\n"
    "server.uptime: 77\n"
    "tidegate.ended.cluster.demo/digits/digits-1.outcome.5xx: 4\n"
    "tidegate.ended.cluster.demo/digits/digits-1.outcome.model: 3\n"
    "tidegate.ended.cluster.demo/digits/digits-1/grpc.outcome.5xx: 1\n"
    "tidegate.ended.cluster.demo/digits/digits-1.outcome.cancelled: 10\n"
    "tidegate.ended.cluster.demo/digits/digits-1.outcome.4xx: 2\n"
    "tidegate.requests.cluster.-: 9\n"
    "tidegate.requests.cluster.demo/digits/digits-1: 100\n"
    "tidegate.requests.cluster.demo/digits/digits-1/grpc: 20\n"
    "tidegate.latency.cluster.demo/digits/digits-1:\n"
    "  totals=750,10:1, 1500,100:2, 1e+06,100000:2\n"
    "  intervals=750,10:1\n"
    "  summary=P0(nan,755)\n"
    "tidegate.latency.cluster.demo/digits/digits-1/grpc:\n"
    "  totals=1500,100:5, 2000,100:1\n"
    "  intervals=\n"
    "  summary=P0(nan,755)\n"
    "tidegate.latency.cluster.demo/digits/digits-2: No recorded values\n";

GatewayScrape scrape_of(const std::string& instance, absl::Duration uptime, uint64_t finished, uint64_t failed) {
  GatewayScrape scrape;
  scrape.instance = instance;
  scrape.uptime = uptime;
  Counters& counters = scrape.clusters["demo/digits/digits-1"].counters;
  counters.finished = finished;
  counters.ended[static_cast<size_t>(Outcome::kServerError)] = failed;
  counters.latency = {{1000, 100, finished}};
  return scrape;
}

TEST(GatewayStats, ReadsWhatAGatewaySays) {
  const auto scrape = parse(kBody, "container-1", kAskedAt);
  ASSERT_TRUE(scrape.ok()) << scrape.status();
  EXPECT_EQ(scrape->instance, "container-1");
  EXPECT_EQ(scrape->asked_at, kAskedAt);
  EXPECT_EQ(scrape->uptime, absl::Seconds(77));
  EXPECT_EQ(scrape->applied_version, "4711");
  ASSERT_EQ(scrape->clusters.size(), 1u);  // what is no revision's cluster is none of ours
  const ClusterStats& stats = scrape->clusters.at("demo/digits/digits-1");
  EXPECT_EQ(stats.counters.finished, 120u);
  EXPECT_EQ(stats.counters.of(Outcome::kServerError), 5u);
  EXPECT_EQ(stats.counters.of(Outcome::kOk), 120u - 5 - 3 - 10 - 2);
  EXPECT_THAT(stats.counters.latency, ElementsAre(LatencyBucket{750, 10, 1}, LatencyBucket{1500, 100, 7},
                                                  LatencyBucket{2000, 100, 1}, LatencyBucket{1e6, 1e5, 2}));
}

TEST(GatewayStats, CountsAnErrorOnceAndOnlyIfItsClassCounts) {
  const Counters counters = parse(kBody, "", kAskedAt)->clusters.at("demo/digits/digits-1").counters;
  EXPECT_EQ(counters.total(), 110u);
  EXPECT_EQ(counters.errors(), 8u);
  EXPECT_EQ(counters.errors({.server_error = false}), 3u);  // the model's own count always
}

TEST(GatewayStats, NeverHasMoreErrorsThanRequests) {
  Counters counters;
  counters.finished = 2;
  counters.ended[static_cast<size_t>(Outcome::kReset)] = 3;  // read a moment later
  EXPECT_EQ(counters.errors(), 2u);
  EXPECT_EQ(counters.of(Outcome::kOk), 0u);
}

TEST(GatewayStats, FaultsNameTheirPlace) {
  const std::string good = "server.uptime: 1\n";
  const auto fault = [&](const std::string& line) { return parse(good + line, "", kAskedAt).status().ToString(); };
  EXPECT_THAT(fault("tidegate.requests.cluster.a/b/c: many"), HasSubstr("at byte 17: a count is not a number"));
  EXPECT_THAT(fault("tidegate.requests.cluster.a/b/c: -1"), HasSubstr("not a number"));
  EXPECT_THAT(fault("tidegate.requests.cluster.a/b/c: 99999999999999999999"), HasSubstr("not a number"));
  EXPECT_THAT(fault("tidegate.ended.cluster.a/b/c: 1"), HasSubstr("no outcome"));
  EXPECT_THAT(fault("tidegate.ended.cluster.a/b/c.outcome.odd: 1"), HasSubstr("unknown outcome 'odd'"));
  EXPECT_THAT(fault("tidegate.latency.cluster.a/b/c:\n"), HasSubstr("no totals"));
  EXPECT_THAT(fault("tidegate.latency.cluster.a/b/c:\n  totals=1,2"), HasSubstr("lower,width:count"));
  EXPECT_THAT(fault("tidegate.latency.cluster.a/b/c:\n  totals=2,1:1, 1,1:1"), HasSubstr("do not rise"));
  EXPECT_THAT(fault("tidegate.latency.cluster.a/b/c:\n  totals=nan,1:1"), HasSubstr("lower,width:count"));
  EXPECT_THAT(fault("cluster.tidegate/version.version_text: 7"), HasSubstr("no text"));
}

TEST(GatewayStats, TooLargeAnAnswerIsRefused) {
  EXPECT_EQ(parse(std::string(kMaxScrapeBytes + 1, 'x'), "", kAskedAt).status().code(), absl::StatusCode::kOutOfRange);
}

// Whatever arrives, parse returns: cut and changed at random, from a fixed seed.
TEST(GatewayStats, DamagedAnswersNeverDoHarm) {
  std::mt19937 random(7);
  const std::string body = kBody;
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = body.substr(0, random() % (body.size() + 1));
    for (int i = random() % 4; i > 0 && !damaged.empty(); --i) {
      damaged[random() % damaged.size()] = static_cast<char>("\n:,=\"0e-.x\0"[random() % 11]);
    }
    const auto scrape = parse(damaged, "", kAskedAt);
    if (!scrape.ok()) continue;
    for (const auto& [name, stats] : scrape->clusters) EXPECT_LE(stats.counters.errors(), stats.counters.total());
  }
}

TEST(GatewayStats, DifferenceIsWhatHappenedInBetween) {
  const Difference change =
      difference(scrape_of("c", absl::Seconds(10), 100, 3), scrape_of("c", absl::Seconds(15), 140, 4));
  EXPECT_FALSE(change.reset);
  const Counters& counters = change.clusters.at("demo/digits/digits-1");
  EXPECT_EQ(counters.finished, 40u);
  EXPECT_EQ(counters.errors(), 1u);
  EXPECT_THAT(counters.latency, ElementsAre(LatencyBucket{1000, 100, 40}));
}

TEST(GatewayStats, ANewContainerCountsFromZero) {
  const Difference change =
      difference(scrape_of("old", absl::Seconds(10), 100, 3), scrape_of("new", absl::Seconds(15), 140, 4));
  EXPECT_TRUE(change.reset);
  EXPECT_EQ(change.clusters.at("demo/digits/digits-1").finished, 140u);
}

TEST(GatewayStats, AContainersIdThatBecomesKnownLateIsNoNewProcess) {
  GatewayScrape first = scrape_of("old", absl::Seconds(2), 100, 3);
  first.asked_at = kAskedAt;
  GatewayScrape next = scrape_of("new", absl::Seconds(7), 140, 4);
  next.asked_at = kAskedAt + absl::Seconds(5.6);
  EXPECT_FALSE(difference(first, next).reset);
  next.asked_at = kAskedAt + absl::Seconds(9);
  EXPECT_TRUE(difference(first, next).reset);
}

TEST(GatewayStats, AProcessThatRestartedInItsContainerCountsFromZero) {
  const Difference change =
      difference(scrape_of("c", absl::Seconds(10), 100, 3), scrape_of("c", absl::Seconds(2), 140, 4));
  EXPECT_TRUE(change.reset);
  EXPECT_EQ(change.clusters.at("demo/digits/digits-1").finished, 140u);
}

TEST(GatewayStats, ARevisionThatWasRemovedAndIsBackCountsFromZeroAlone) {
  GatewayScrape before = scrape_of("c", absl::Seconds(10), 100, 3);
  GatewayScrape now = scrape_of("c", absl::Seconds(15), 20, 1);
  before.clusters["demo/digits/digits-2"].counters.finished = 5;
  now.clusters["demo/digits/digits-2"].counters.finished = 7;
  const Difference change = difference(before, now);
  EXPECT_FALSE(change.reset);
  EXPECT_EQ(change.clusters.at("demo/digits/digits-1").finished, 20u);
  EXPECT_EQ(change.clusters.at("demo/digits/digits-2").finished, 2u);
}

TEST(GatewayStats, DifferencesAddUpToTheWhole) {
  Counters sum = difference(scrape_of("c", absl::Seconds(1), 0, 0), scrape_of("c", absl::Seconds(2), 50, 2))
                     .clusters.at("demo/digits/digits-1");
  sum += difference(scrape_of("c", absl::Seconds(2), 50, 2), scrape_of("c", absl::Seconds(3), 90, 9))
             .clusters.at("demo/digits/digits-1");
  EXPECT_EQ(sum, scrape_of("c", absl::Seconds(3), 90, 9).clusters.at("demo/digits/digits-1").counters);
}

TEST(GatewayStats, AScrapeWithoutHistogramsMakesNoLatency) {
  GatewayScrape without = scrape_of("c", absl::Seconds(2), 50, 2);
  without.clusters.begin()->second.counters.latency.clear();
  const GatewayScrape before = scrape_of("c", absl::Seconds(1), 10, 2);
  const GatewayScrape after = scrape_of("c", absl::Seconds(3), 60, 2);
  EXPECT_TRUE(difference(before, without).clusters.begin()->second.latency.empty());
  EXPECT_EQ(difference(before, without).clusters.begin()->second.finished, 40u);
  EXPECT_TRUE(difference(without, after).clusters.begin()->second.latency.empty());
  EXPECT_EQ(difference(without, after).clusters.begin()->second.finished, 10u);
}

TEST(GatewayStats, AsksOnlyForWhatIsWanted) {
  EXPECT_THAT(stats_path({"demo/digits", "demo/cats"}, true), HasSubstr("%28demo%2Fdigits%7Cdemo%2Fcats%29%2F"));
  EXPECT_THAT(stats_path({}, true), HasSubstr("&histogram_buckets=detailed"));
  EXPECT_EQ(stats_path({}, false).find("histogram_buckets"), std::string::npos);
  EXPECT_EQ(stats_path({}, false).find("latency"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::metrics
