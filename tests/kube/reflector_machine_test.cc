#include "kube/reflector_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/errors.h"
#include "net/http_client.h"

namespace tidegate::kube {
namespace {

using Effect = ReflectorEffect;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

absl::Status gone() { return error_from_response({410, {}, ""}, "watch"); }
absl::Status busy(const std::string& seconds) {
  return error_from_response({429, {{"retry-after", seconds}}, ""}, "watch");
}
absl::Status unreachable() { return absl::UnavailableError("connection refused"); }

const ReflectorRequestPage* page_request(const ReflectorStep& step) {
  return step.command ? std::get_if<ReflectorRequestPage>(&*step.command) : nullptr;
}
const ReflectorOpenWatch* watch_request(const ReflectorStep& step) {
  return step.command ? std::get_if<ReflectorOpenWatch>(&*step.command) : nullptr;
}
const ReflectorWait* wait_request(const ReflectorStep& step) {
  return step.command ? std::get_if<ReflectorWait>(&*step.command) : nullptr;
}

// A reflector that has listed at version 10 and watches.
ReflectorState watching() {
  ReflectorStep step = reflector_step({}, ReflectorStart{});
  return reflector_step(step.state, ReflectorPage{"10", ""}).state;
}

TEST(ReflectorMachine, ListsTheMostRecentStateFirst) {
  const ReflectorStep step = reflector_step({}, ReflectorStart{});
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_EQ(page_request(step)->resource_version, "");
}

TEST(ReflectorMachine, ShowsAListOnlyWhenItsLastPageIsThere) {
  ReflectorStep step = reflector_step({}, ReflectorStart{});
  step = reflector_step(step.state, ReflectorPage{"10", "next"});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kKeep));
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_EQ(page_request(step)->continue_token, "next");
  step = reflector_step(step.state, ReflectorPage{"10", ""});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kKeep, Effect::kCommit));
  ASSERT_NE(watch_request(step), nullptr);
  EXPECT_EQ(watch_request(step)->resource_version, "10");
}

TEST(ReflectorMachine, FollowsEventsAndBookmarks) {
  ReflectorStep step = reflector_step(watching(), ReflectorWatchEvent{WatchEventType::kModified, "11"});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kUpsert));
  EXPECT_FALSE(step.command.has_value());
  step = reflector_step(step.state, ReflectorWatchEvent{WatchEventType::kDeleted, "12"});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kErase));
  step = reflector_step(step.state, ReflectorWatchEvent{WatchEventType::kBookmark, "20"});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kProgress));
  step = reflector_step(step.state, ReflectorWatchClosed{absl::Minutes(5), true});
  ASSERT_NE(watch_request(step), nullptr);
  EXPECT_EQ(watch_request(step)->resource_version, "20");
}

TEST(ReflectorMachine, ListsAgainFromTheLastSeenVersionWhenTheWatchIsTooOld) {
  const ReflectorStep step = reflector_step(watching(), ReflectorFailure{gone()});
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_EQ(page_request(step)->resource_version, "10");
  EXPECT_THAT(step.effects, ElementsAre(Effect::kDiscardKept));
}

TEST(ReflectorMachine, ListsTheMostRecentWhenTheListItselfExpires) {
  ReflectorStep step = reflector_step(watching(), ReflectorWatchEvent{WatchEventType::kAdded, "11"});
  step = reflector_step(step.state, ReflectorFailure{gone()});
  step = reflector_step(step.state, ReflectorFailure{gone()});
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_EQ(page_request(step)->resource_version, "");
  step = reflector_step(step.state, ReflectorFailure{gone()});
  ASSERT_NE(wait_request(step), nullptr) << "the most recent cannot be too old: something is wrong, so slow down";
  step = reflector_step(step.state, ReflectorDelayOver{});
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_EQ(page_request(step)->resource_version, "");
  step = reflector_step(step.state, ReflectorPage{"30", ""});
  EXPECT_EQ(step.state.last_seen, "30");
  EXPECT_FALSE(step.state.needs_most_recent);
}

TEST(ReflectorMachine, DropsThePagesOfAListThatExpiresHalfWay) {
  ReflectorStep step = reflector_step({}, ReflectorStart{});
  step = reflector_step(step.state, ReflectorPage{"10", "next"});
  step = reflector_step(step.state, ReflectorFailure{gone()});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kDiscardKept));
  EXPECT_NE(wait_request(step), nullptr) << "nothing more recent can be asked for";
  step = reflector_step(step.state, ReflectorDelayOver{});
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_EQ(page_request(step)->resource_version, "");
  EXPECT_EQ(page_request(step)->continue_token, "");
}

TEST(ReflectorMachine, DoesNotListAgainBecauseTheServerIsBusy) {
  ReflectorStep step = reflector_step(watching(), ReflectorFailure{busy("7")});
  ASSERT_NE(wait_request(step), nullptr);
  EXPECT_EQ(wait_request(step)->delay, absl::Seconds(7));
  EXPECT_THAT(step.effects, IsEmpty());
  step = reflector_step(step.state, ReflectorDelayOver{});
  ASSERT_NE(watch_request(step), nullptr);
  EXPECT_EQ(watch_request(step)->resource_version, "10");
}

TEST(ReflectorMachine, AsksForTheSamePageAgainWhenTheServerIsBusy) {
  ReflectorStep step = reflector_step({}, ReflectorStart{});
  step = reflector_step(step.state, ReflectorPage{"10", "next"});
  step = reflector_step(step.state, ReflectorFailure{busy("1")});
  EXPECT_THAT(step.effects, IsEmpty());
  step = reflector_step(step.state, ReflectorDelayOver{});
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_EQ(page_request(step)->continue_token, "next");
}

TEST(ReflectorMachine, WaitsLongerAfterEachFailureAndForgetsWhenAWatchWorks) {
  ReflectorStep step = reflector_step(watching(), ReflectorFailure{unreachable()});
  for (const double seconds : {0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0}) {
    ASSERT_NE(wait_request(step), nullptr);
    EXPECT_EQ(wait_request(step)->delay, absl::Seconds(seconds));
    EXPECT_TRUE(wait_request(step)->jitter);
    step = reflector_step(step.state, ReflectorDelayOver{});
    ASSERT_NE(watch_request(step), nullptr);
    step = reflector_step(step.state, ReflectorFailure{unreachable()});
  }
  step = reflector_step(step.state, ReflectorDelayOver{});
  step = reflector_step(step.state, ReflectorWatchEvent{WatchEventType::kBookmark, "11"});
  step = reflector_step(step.state, ReflectorFailure{unreachable()});
  EXPECT_EQ(wait_request(step)->delay, absl::Seconds(0.8));
}

TEST(ReflectorMachine, DoesNotStormAServerThatEndsWatchesAtOnce) {
  ReflectorStep step = reflector_step(watching(), ReflectorWatchClosed{absl::Milliseconds(3), false});
  ASSERT_NE(wait_request(step), nullptr);
  step = reflector_step(watching(), ReflectorWatchClosed{absl::Milliseconds(3), true});
  EXPECT_NE(watch_request(step), nullptr);
}

TEST(ReflectorMachine, TakesAStreamedListAsCompleteOnlyAtItsBookmark) {
  ReflectorState start;
  start.use_watch_list = true;
  ReflectorStep step = reflector_step(start, ReflectorStart{});
  ASSERT_NE(watch_request(step), nullptr);
  EXPECT_TRUE(watch_request(step)->send_initial_events);
  step = reflector_step(step.state, ReflectorWatchEvent{WatchEventType::kAdded, "5"});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kKeep));
  step = reflector_step(step.state, ReflectorWatchEvent{WatchEventType::kBookmark, "9", false});
  EXPECT_THAT(step.effects, IsEmpty());
  step = reflector_step(step.state, ReflectorWatchEvent{WatchEventType::kBookmark, "9", true});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kCommit));
  EXPECT_FALSE(step.command.has_value());
  step = reflector_step(step.state, ReflectorWatchEvent{WatchEventType::kAdded, "10"});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kUpsert));
}

TEST(ReflectorMachine, ForgetsAStreamedListThatBreaksOff) {
  ReflectorState start;
  start.use_watch_list = true;
  ReflectorStep step = reflector_step(start, ReflectorStart{});
  step = reflector_step(step.state, ReflectorWatchEvent{WatchEventType::kAdded, "5"});
  step = reflector_step(step.state, ReflectorFailure{unreachable()});
  EXPECT_THAT(step.effects, ElementsAre(Effect::kDiscardKept));
  step = reflector_step(step.state, ReflectorDelayOver{});
  ASSERT_NE(watch_request(step), nullptr);
  EXPECT_TRUE(watch_request(step)->send_initial_events);
}

TEST(ReflectorMachine, FallsBackToPagesWhereTheServerKnowsNoStreamedList) {
  ReflectorState start;
  start.use_watch_list = true;
  ReflectorStep step = reflector_step(start, ReflectorStart{});
  step = reflector_step(step.state, ReflectorFailure{error_from_response({422, {}, ""}, "watch")});
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_FALSE(step.state.use_watch_list);
}

TEST(ReflectorMachine, SlowsDownWhenEveryWatchIsTooOldAtOnce) {
  ReflectorStep step = reflector_step(watching(), ReflectorFailure{gone()});
  step = reflector_step(step.state, ReflectorPage{"12", ""});
  ASSERT_NE(watch_request(step), nullptr);
  step = reflector_step(step.state, ReflectorFailure{gone()});
  EXPECT_NE(wait_request(step), nullptr);
}

TEST(ReflectorMachine, ListsAgainWhenItCannotReadTheWatch) {
  const ReflectorStep step = reflector_step(watching(), ReflectorFailure{absl::InvalidArgumentError("not JSON")});
  EXPECT_NE(page_request(step), nullptr);
}

TEST(ReflectorMachine, ARefreshListsTheMostRecentWhateverItWasAbout) {
  ReflectorStep listing = reflector_step({}, ReflectorStart{});
  ReflectorStep pausing = reflector_step(watching(), ReflectorFailure{unreachable()});
  for (const ReflectorState& state : {watching(), listing.state, pausing.state}) {
    const ReflectorStep step = reflector_step(state, ReflectorRefresh{});
    ASSERT_NE(page_request(step), nullptr);
    EXPECT_EQ(page_request(step)->resource_version, "");
    EXPECT_THAT(step.effects, ElementsAre(Effect::kDiscardKept));
  }
}

TEST(ReflectorMachine, ARefreshStaysOneThroughFailuresAndEndsWithItsSet) {
  ReflectorStep step = reflector_step(watching(), ReflectorRefresh{});
  step = reflector_step(step.state, ReflectorFailure{unreachable()});
  ASSERT_NE(wait_request(step), nullptr);
  step = reflector_step(step.state, ReflectorDelayOver{});
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_EQ(page_request(step)->resource_version, "");
  step = reflector_step(step.state, ReflectorPage{"30", ""});
  ASSERT_NE(watch_request(step), nullptr);
  EXPECT_EQ(watch_request(step)->resource_version, "30");
  step = reflector_step(step.state, ReflectorFailure{gone()});
  ASSERT_NE(page_request(step), nullptr);
  EXPECT_EQ(page_request(step)->resource_version, "30") << "the next list need only not go back";
}

TEST(ReflectorMachine, ARefreshStreamsTheMostRecentWhereTheServerCan) {
  ReflectorState state = watching();
  state.use_watch_list = true;
  const ReflectorStep step = reflector_step(state, ReflectorRefresh{});
  ASSERT_NE(watch_request(step), nullptr);
  EXPECT_TRUE(watch_request(step)->send_initial_events);
  EXPECT_EQ(watch_request(step)->resource_version, "");
}

}  // namespace
}  // namespace tidegate::kube
