#include "e2e/traffic/tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::traffic_generator {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

Outcome Answer(const std::string& version, int code, absl::Duration duration) {
  return {.request_id = "users-1",
          .due = kStart,
          .duration = duration,
          .stage = Stage::kAnswered,
          .code = code,
          .version = version};
}

TEST(Tally, SentIsAlwaysOkPlusFailedPlusInFlight) {
  Tally tally(kStart);
  for (int i = 0; i < 10; ++i) tally.Sent();
  for (int i = 0; i < 6; ++i) tally.Finished(Answer("1", i < 4 ? 200 : 500, absl::Milliseconds(1)));
  const nlohmann::json totals = tally.Totals(kStart);
  EXPECT_EQ(totals["sent"], 10);
  EXPECT_EQ(totals["ok"], 4);
  EXPECT_EQ(totals["failed"], 2);
  EXPECT_EQ(totals["in_flight"], 4);
}

TEST(Tally, KeepsVersionsApart) {
  Tally tally(kStart);
  tally.Finished(Answer("1", 200, absl::Milliseconds(1)));
  tally.Finished(Answer("3", 400, absl::Milliseconds(20)));
  const nlohmann::json versions = tally.Totals(kStart)["versions"];
  EXPECT_EQ(versions["1"]["failed"], 0);
  EXPECT_EQ(versions["3"]["failed"], 1);
  EXPECT_NEAR(versions["3"]["p95_ms"].get<double>(), 20, 0.2);
}

TEST(Tally, AFailedRequestIsWrittenDownWithAllThatIsKnown) {
  Tally tally(kStart);
  tally.Sent();
  const std::string line = tally.Finished({.request_id = "users-1700000000-7",
                                           .due = kStart,
                                           .duration = absl::Milliseconds(3),
                                           .stage = Stage::kExchange,
                                           .new_connection = true,
                                           .error = "Connection reset by peer"});
  const nlohmann::json json = nlohmann::json::parse(line);
  EXPECT_EQ(json["request_id"], "users-1700000000-7");
  EXPECT_EQ(json["due"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(json["ended"], "2023-11-14T22:13:20.003Z");
  EXPECT_EQ(json["stage"], "exchange");
  EXPECT_EQ(json["error"], "Connection reset by peer");
  EXPECT_EQ(tally.failures().From(0), line + "\n");
}

TEST(Tally, TellsWhenAVersionGotItsFirstAndItsLastRequest) {
  Tally tally(kStart);
  for (int i : {2, 1, 3}) {
    Outcome outcome = Answer("3", 200, absl::Milliseconds(1));
    outcome.due = kStart + absl::Seconds(i);
    tally.Finished(outcome);
  }
  const nlohmann::json version = tally.Totals(kStart)["versions"]["3"];
  EXPECT_EQ(version["first_due"], "2023-11-14T22:13:21.000Z");
  EXPECT_EQ(version["last_due"], "2023-11-14T22:13:23.000Z");
}

TEST(Tally, AnAnswerThatIsNoTextDoesNotBreakTheLine) {
  Tally tally(kStart);
  Outcome outcome = Answer("3", 500, absl::Milliseconds(1));
  outcome.excerpt = "\xff\xfe{";
  EXPECT_TRUE(nlohmann::json::accept(tally.Finished(outcome)));
}

TEST(Tally, EverySecondHasALineEvenWithoutRequests) {
  Tally tally(kStart);
  tally.Sent();
  tally.Finished(Answer("1", 200, absl::Milliseconds(2)));
  EXPECT_THAT(tally.CloseSeconds(kStart + absl::Milliseconds(900)), testing::IsEmpty());
  const std::vector<std::string> lines = tally.CloseSeconds(kStart + absl::Milliseconds(2100));
  ASSERT_THAT(lines, testing::SizeIs(2));
  EXPECT_EQ(nlohmann::json::parse(lines[0])["ok"], 1);
  EXPECT_EQ(nlohmann::json::parse(lines[1])["ok"], 0);
}

TEST(LineLog, AReaderThatFellBehindGetsWhatIsLeft) {
  LineLog log(2);
  for (const char* line : {"a", "b", "c"}) log.Add(line);
  EXPECT_EQ(log.From(0), "b\nc\n");
  EXPECT_EQ(log.From(2), "c\n");
  EXPECT_EQ(log.From(3), "");
  EXPECT_EQ(log.next_index(), 3);
}

TEST(LatencyHistogram, QuantilesAreWithinOnePerCent) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.Add(absl::Microseconds(10 * i));
  EXPECT_NEAR(absl::ToDoubleMicroseconds(histogram.Quantile(0.5)), 5000, 50);
  EXPECT_NEAR(absl::ToDoubleMicroseconds(histogram.Quantile(0.95)), 9500, 95);
  EXPECT_EQ(LatencyHistogram().Quantile(0.5), absl::ZeroDuration());
}

}  // namespace
}  // namespace tidegate::traffic_generator
