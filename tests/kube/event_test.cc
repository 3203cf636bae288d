#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "kube/event_aggregator.h"
#include "kube/event_recorder.h"
#include "kube_fixture.h"

namespace tidegate::kube {
namespace {

using Kind = EventDecision::Kind;

EventRecord event(const std::string& name, const std::string& note = "went to 20 %") {
  EventRecord record;
  record.regarding = {"tidegate.dev/v1alpha1", "ModelDeployment", {"demo", name}, "uid-" + name, "7"};
  record.reason = "WeightChanged";
  record.action = "Promote";
  record.note = note;
  return record;
}

TEST(EventAggregator, MakesASeriesOfWhatRepeats) {
  EventAggregator aggregator({});
  const absl::Time start = absl::FromUnixSeconds(1000);
  const EventDecision first = aggregator.decide(event("digits"), start);
  EXPECT_EQ(first.kind, Kind::kCreate);
  const EventDecision second = aggregator.decide(event("digits"), start + absl::Seconds(10));
  EXPECT_EQ(second.kind, Kind::kUpdateSeries);
  EXPECT_EQ(second.event_name, first.event_name);
  EXPECT_EQ(second.series_count, 2);
  EXPECT_EQ(aggregator.decide(event("digits", "went to 40 %"), start).kind, Kind::kCreate);
  const EventDecision later = aggregator.decide(event("digits"), start + absl::Minutes(10));
  EXPECT_EQ(later.kind, Kind::kCreate);
  EXPECT_NE(later.event_name, first.event_name);
}

TEST(EventAggregator, LetsNoObjectFloodTheServerNorSilenceAnother) {
  EventAggregator aggregator({});
  const absl::Time start = absl::FromUnixSeconds(1000);
  int written = 0;
  for (int i = 0; i < 100; ++i) {
    if (aggregator.decide(event("digits", base::cat("note ", i)), start).kind != Kind::kDrop) ++written;
  }
  EXPECT_EQ(written, 25);
  EXPECT_EQ(aggregator.decide(event("other"), start).kind, Kind::kCreate);
  EXPECT_EQ(aggregator.decide(event("digits", "a minute on"), start + absl::Minutes(1)).kind, Kind::kCreate);
  EXPECT_EQ(aggregator.decide(event("digits", "and at once"), start + absl::Minutes(1)).kind, Kind::kDrop);
}

TEST(EventAggregator, CountsWhatItCouldNotWrite) {
  EventLimits limits;
  limits.burst = 1;
  EventAggregator aggregator(limits);
  const absl::Time start = absl::FromUnixSeconds(1000);
  EXPECT_EQ(aggregator.decide(event("digits"), start).kind, Kind::kCreate);
  EXPECT_EQ(aggregator.decide(event("digits"), start).kind, Kind::kDrop);
  EXPECT_EQ(aggregator.decide(event("digits"), start).kind, Kind::kDrop);
  EXPECT_EQ(aggregator.decide(event("digits"), start + absl::Minutes(1)).series_count, 4);
}

TEST(EventAggregator, RemembersABoundedNumberOfObjects) {
  EventLimits limits;
  limits.max_remembered = 10;
  EventAggregator aggregator(limits);
  const absl::Time start = absl::FromUnixSeconds(1000);
  for (int i = 0; i < 50; ++i) aggregator.decide(event(base::cat("m", i)), start + absl::Seconds(i));
  EXPECT_EQ(aggregator.decide(event("m49"), start + absl::Seconds(60)).kind, Kind::kUpdateSeries);
  EXPECT_EQ(aggregator.decide(event("m0"), start + absl::Seconds(60)).kind, Kind::kCreate);
}

class EventRecorderTest : public KubeTest {
 protected:
  void SetUp() override { loop_.spawn(recorder_.run(scope_)); }
  ~EventRecorderTest() override {
    scope_.cancel();
    settle();
  }
  // The only event there is.
  Json written() {
    ListOptions options;
    auto list = await(client_.list(resources::events(), options, scope_));
    EXPECT_TRUE(list.ok() && list->items.size() == 1);
    return list.ok() && !list->items.empty() ? list->items.front() : Json::object();
  }

  EventRecorder recorder_{client_, clock_, "tidegate.dev/operator", "operator-0"};
};

TEST_F(EventRecorderTest, WritesWhatKubectlShows) {
  recorder_.record(event("digits"));
  settle();
  const Json json = written();
  EXPECT_EQ(string_at(json, {"metadata", "namespace"}), "demo");
  EXPECT_EQ(string_at(json, {"regarding", "kind"}), "ModelDeployment");
  EXPECT_EQ(string_at(json, {"regarding", "uid"}), "uid-digits");
  EXPECT_EQ(string_at(json, {"reason"}), "WeightChanged");
  EXPECT_EQ(string_at(json, {"type"}), "Normal");
  EXPECT_EQ(string_at(json, {"reportingInstance"}), "operator-0");
  EXPECT_TRUE(time_at(json, {"eventTime"}).has_value());
}

TEST_F(EventRecorderTest, CountsRepetitionsInTheSameEvent) {
  for (int i = 0; i < 4; ++i) {
    recorder_.record(event("digits"));
    pass(absl::Seconds(5));
  }
  EXPECT_EQ(int_at(written(), {"series", "count"}), 4);
  EXPECT_EQ(recorder_.written(), 4u);
}

TEST_F(EventRecorderTest, MakesTheEventAgainWhenTheServerHasForgottenIt) {
  recorder_.record(event("digits"));
  settle();
  server_.erase(resources::events(), {"demo", string_at(written(), {"metadata", "name"})});
  recorder_.record(event("digits"));
  settle();
  EXPECT_EQ(server_.count(resources::events()), 1u);
}

TEST_F(EventRecorderTest, TriesAgainWhenTheServerIsAwayAndWritesNothingTwice) {
  server_.lose_answers = true;
  recorder_.record(event("digits"));
  settle();
  server_.lose_answers = false;
  pass(absl::Seconds(10));
  EXPECT_EQ(server_.count(resources::events()), 1u);
  EXPECT_EQ(recorder_.dropped(), 0u);
}

TEST_F(EventRecorderTest, CutsALongNoteBetweenCharacters) {
  std::string note(1023, 'x');
  note += "é and more";
  recorder_.record(event("digits", note));
  settle();
  EXPECT_EQ(string_at(written(), {"note"}), std::string(1023, 'x'));
}

TEST_F(EventRecorderTest, DropsTheOldestWhenTheServerIsAwayForLong) {
  server_.intercept = [](const net::HttpRequest&) -> std::optional<FakeApiServer::Answer> {
    return FakeApiServer::Answer(absl::UnavailableError("no route to host"));
  };
  for (int i = 0; i < 1500; ++i) recorder_.record(event(base::cat("m", i)));
  EXPECT_GE(recorder_.dropped(), 499u);
}

}  // namespace
}  // namespace tidegate::kube
