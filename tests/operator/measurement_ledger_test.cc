#include "operator/observers/measurement_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::operator_ {
namespace {

using metrics::GatewayScrape;
using testing::ElementsAre;

const absl::Time kFrom = absl::FromUnixSeconds(1'000'000);
const base::ObjectKey kDigits{"demo", "digits"};
const std::vector<std::string> kObjects{"demo/digits"};

GatewayScrape scrape(const std::string& instance, int64_t uptime_seconds, uint64_t stable, uint64_t canary,
                     uint64_t canary_errors = 0) {
  GatewayScrape scrape{instance, {}, absl::Seconds(uptime_seconds), "5", {}};
  scrape.clusters["demo/digits/digits-s"].counters.finished = stable;
  metrics::Counters& counters = scrape.clusters["demo/digits/digits-c"].counters;
  counters.finished = canary;
  counters.ended[static_cast<size_t>(metrics::Outcome::kServerError)] = canary_errors;
  counters.latency = {{10'000, 1'000, canary}};
  return scrape;
}

class Ledger : public testing::Test {
 protected:
  Ledger() { ledger_.open(kDigits, window_); }
  void absorb(const std::string& pod, int after_seconds, GatewayScrape scrape) {
    scrape.asked_at = kFrom + absl::Seconds(after_seconds);
    ledger_.absorb(pod, kObjects, scrape);
  }
  MeasurementWindow window_{"digits-s", "digits-c", kFrom};
  MeasurementLedger ledger_;
};

TEST_F(Ledger, CountsOnlyWhatCameAfterTheFirstReadingOfTheWindow) {
  absorb("g1", -5, scrape("i1", 100, 10, 10));
  EXPECT_FALSE(ledger_.measurements(kDigits).has_value()) << "it was asked for before the weights were verified";
  absorb("g1", 1, scrape("i1", 106, 100, 50));
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 0);
  absorb("g1", 6, scrape("i1", 111, 150, 60, 3));
  const auto measured = ledger_.measurements(kDigits);
  EXPECT_EQ(measured->stable.requests, 50);
  EXPECT_EQ(measured->canary.requests, 10);
  EXPECT_EQ(measured->canary.errors.http_5xx, 3);
  EXPECT_EQ(measured->canary.latency.total(), 10);
  EXPECT_EQ(measured->canary_revision, "digits-c");
  EXPECT_EQ(measured->from, kFrom);
  EXPECT_EQ(measured->until, kFrom + absl::Seconds(6));
}

TEST_F(Ledger, AddsUpTheGateways) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g2", 1, scrape("i2", 100, 1000, 1000));
  absorb("g1", 6, scrape("i1", 105, 7, 1));
  absorb("g2", 6, scrape("i2", 105, 1010, 1002));
  EXPECT_EQ(ledger_.measurements(kDigits)->stable.requests, 17);
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 3);
}

TEST_F(Ledger, CountsAGatewayThatStartedInTheWindowFromZero) {
  absorb("g3", 60, scrape("i3", 20, 40, 8));
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 8);
}

TEST_F(Ledger, LosesOneIntervalAtMostWhenAGatewaysProcessIsReplaced) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g1", 6, scrape("i1", 105, 100, 10));
  absorb("g1", 11, scrape("i2", 2, 30, 4));
  EXPECT_EQ(ledger_.measurements(kDigits)->stable.requests, 130);
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 14);
}

// The container's id comes from the pod's status, which follows a restart with a delay.
TEST_F(Ledger, CountsARestartedGatewayOnceHoweverLateItsNewIdBecomesKnown) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g1", 6, scrape("i1", 105, 100, 10));
  absorb("g1", 11, scrape("i1", 3, 30, 4));
  absorb("g1", 16, scrape("i2", 8, 50, 7));
  EXPECT_EQ(ledger_.measurements(kDigits)->stable.requests, 150);
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 17);
}

TEST_F(Ledger, CountsAGatewayThatIsFirstSeenAfterItsRestartOnceToo) {
  absorb("g1", 11, scrape("i1", 3, 30, 4));
  absorb("g1", 16, scrape("i2", 8, 50, 7));
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 7);
}

TEST_F(Ledger, CountsAGatewayThatRestartedLongBetweenTwoReadingsAsAnother) {
  absorb("g1", 1, scrape("i1", 2, 0, 0));
  absorb("g1", 6, scrape("i1", 7, 100, 10));
  absorb("g1", 66, scrape("i2", 50, 120, 12));
  EXPECT_EQ(ledger_.measurements(kDigits)->stable.requests, 220);
  EXPECT_EQ(ledger_.measurements(kDigits)->canary.requests, 22);
}

TEST_F(Ledger, StartsAfreshForTheNextStep) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g1", 6, scrape("i1", 105, 100, 10));
  EXPECT_FALSE(ledger_.open(kDigits, window_)) << "the same window goes on";
  EXPECT_TRUE(ledger_.measurements(kDigits).has_value());
  window_.from += absl::Seconds(30);
  EXPECT_TRUE(ledger_.open(kDigits, window_));
  EXPECT_FALSE(ledger_.measurements(kDigits).has_value());
}

TEST_F(Ledger, LeavesOutWhatAScrapeDidNotAskFor) {
  GatewayScrape other = scrape("i1", 100, 5, 5);
  other.asked_at = kFrom + absl::Seconds(1);
  ledger_.absorb("g1", {"demo/other"}, other);
  EXPECT_FALSE(ledger_.measurements(kDigits).has_value());
  EXPECT_THAT(ledger_.objects(), ElementsAre("demo/digits"));
}

TEST_F(Ledger, AnotherLeaderGoesOnWhereTheLastOneWas) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  absorb("g1", 6, scrape("i1", 105, 100, 10, 2));
  ASSERT_TRUE(ledger_.dirty(kDigits));
  const std::string evidence = ledger_.evidence(kDigits);
  EXPECT_FALSE(ledger_.dirty(kDigits));

  MeasurementLedger next;
  next.open(kDigits, window_);
  ASSERT_TRUE(next.restore(kDigits, evidence).ok());
  EXPECT_EQ(next.measurements(kDigits)->canary.requests, 10);
  EXPECT_EQ(next.measurements(kDigits)->canary.errors.http_5xx, 2);
  // What the gateway counted while nobody led is not lost.
  GatewayScrape later = scrape("i1", 129, 400, 40, 2);
  later.asked_at = kFrom + absl::Seconds(30);
  next.absorb("g1", kObjects, later);
  EXPECT_EQ(next.measurements(kDigits)->stable.requests, 400);
  EXPECT_EQ(next.measurements(kDigits)->canary.requests, 40);
  EXPECT_EQ(next.measurements(kDigits)->canary.latency.total(), 40);
}

TEST_F(Ledger, DoesNotUseEvidenceOfAnotherStepOrSomebodyElsesText) {
  absorb("g1", 1, scrape("i1", 100, 0, 0));
  const std::string evidence = ledger_.evidence(kDigits);
  MeasurementLedger next;
  window_.from += absl::Seconds(1);
  next.open(kDigits, window_);
  EXPECT_TRUE(next.restore(kDigits, evidence).ok());
  EXPECT_FALSE(next.measurements(kDigits).has_value());
  for (const char* text : {"", "{}", "[1]", R"({"stable": 1})"}) EXPECT_FALSE(next.restore(kDigits, text).ok()) << text;
}

TEST_F(Ledger, TakesTheBaseLineOfANewWindowAlone) {
  EXPECT_TRUE(ledger_.lacks_base_line("g1"));
  absorb("g1", 1, scrape("i1", 100, 10, 10));
  EXPECT_FALSE(ledger_.lacks_base_line("g1"));
  EXPECT_TRUE(ledger_.lacks_base_line("g2"));
  ledger_.open({"demo", "cats"}, window_);
  EXPECT_THAT(ledger_.objects_without_base_line("g1"), ElementsAre("demo/cats"));
  EXPECT_THAT(ledger_.objects_without_base_line("g2"), ElementsAre("demo/cats", "demo/digits"));
}

}  // namespace
}  // namespace tidegate::operator_
