// The rules of rollouts, one test each (docs/rollout.md), against a small cluster on a virtual clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rollout/world.h"

namespace tidegate::rollout {
namespace {

using api::ConditionStatus;
using api::Outcome;
using api::Phase;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr absl::Duration kLook = absl::Seconds(5);

std::string rev(const std::string& version) { return World::revision_of(version); }

// Version 1 serves, healthy.
void settle(World& world, const std::string& version = "1") {
  world.want(version);
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at(version); })) << world.last_plan.to_string();
}

// Version 2 is at `weight`, verified.
void reach(World& world, int weight) {
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return world.weight("2") == weight && world.status().canary->measure_from; }))
      << world.last_plan.to_string();
}

bool rolled_back(const World& world) { return world.status().phase == Phase::kRolledBack; }

class Rules : public testing::Test {
 protected:
  World world{7};
};

TEST_F(Rules, R01_WeightsSumTo100FromTheMomentAnythingServes) {
  world.want("1");
  world.look();
  EXPECT_THAT(world.status().traffic, IsEmpty());
  settle(world);
  world.want("2");
  while (!world.is_healthy_at("2")) {
    world.pass(kLook);
    world.look();
    int sum = 0;
    for (const api::TrafficShare& share : world.status().traffic) sum += share.weight;
    ASSERT_EQ(sum, 100);
  }
}

TEST_F(Rules, R02_AShareMovesAtOnceFromARevisionWithoutReplicasToOneThatHasThem) {
  settle(world);
  reach(world, 25);
  world.pods_start = false;
  world.pods[rev("2")].available = 0;
  world.look();
  EXPECT_EQ(world.weight("1"), 100);
  world.pods[rev("2")].available = 1;
  world.pods[rev("1")].available = 0;
  world.look();
  EXPECT_EQ(world.weight("2"), 100);
  EXPECT_EQ(world.status().phase, Phase::kDegraded);
}

TEST_F(Rules, R02_WeightsStayAsTheyAreWhenNothingIsAvailable) {
  settle(world);
  reach(world, 25);
  world.pods_start = false;
  for (auto& [revision, pod] : world.pods) pod.available = 0;
  world.look();
  EXPECT_EQ(world.weight("1"), 75);
  EXPECT_EQ(world.weight("2"), 25);
}

TEST_F(Rules, R03_CanaryGetsNoMoreThanItsAvailableReplicasCarry) {
  world.edit([](auto& spec) { spec.replicas = 10; });
  settle(world);
  world.want("2");
  world.look();
  EXPECT_EQ(world.pods[rev("2")].replicas, 1) << "5 % of 10";
  ASSERT_TRUE(world.run_until([&] { return world.weight("2") == 25; }));
  EXPECT_GE(world.available("2"), 2) << "ceil(0.25 × 10 / 1.25)";
  world.pods_start = false;
  world.pods[rev("2")].available = 1;
  world.look();
  EXPECT_EQ(world.weight("2"), 5);
}

TEST_F(Rules, R03_AStepMaySayItsReplicasItself) {
  world.edit([](auto& spec) {
    spec.replicas = 10;
    spec.rollout.steps[0].replicas = 3;
  });
  settle(world);
  world.want("2");
  world.look();
  EXPECT_EQ(world.pods[rev("2")].replicas, 3);
  world.pods_start = false;
  world.pods[rev("2")].available = 2;
  world.pass(kLook);
  world.look();
  EXPECT_EQ(world.weight("2"), 0);
}

TEST_F(Rules, R04_KeepsOldReplicasUntilEveryProxyConfirmsZeroWeightAndThenTheDrainTime) {
  settle(world);
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return world.weight("2") == 50; }));
  world.proxies["gateway-b"].stuck = true;
  world.run_for(absl::Minutes(5));
  EXPECT_EQ(world.pods[rev("1")].replicas, 2);
  world.proxies["gateway-b"].stuck = false;
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); }));
  const absl::Time promoted = world.now;
  world.proxies["gateway-new"].stuck = true;  // exists, not ready, knows nothing yet
  world.run_for(absl::Minutes(2));
  EXPECT_EQ(world.pods[rev("1")].replicas, 2);
  world.proxies["gateway-new"].stuck = false;
  ASSERT_TRUE(world.run_until([&] { return world.pods[rev("1")].replicas == 0; }));
  EXPECT_GE(world.now - promoted, absl::Seconds(35)) << "timeout 30 s and 5 s";
}

TEST_F(Rules, R04_TheDrainTimeBeginsAgainWhenAProxyHasFallenBehind) {
  settle(world);
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); }));
  world.run_for(absl::Seconds(20));
  world.proxies["gateway-restarted"].stuck = true;
  world.run_for(absl::Minutes(2));
  EXPECT_EQ(world.pods[rev("1")].replicas, 2);
  world.proxies["gateway-restarted"].stuck = false;
  const absl::Time caught_up = world.now;
  ASSERT_TRUE(world.run_until([&] { return world.pods[rev("1")].replicas == 0; }));
  EXPECT_GE(world.now - caught_up, absl::Seconds(35)) << "timeout 30 s and 5 s";
}

TEST_F(Rules, R04_WeightsOfOthersThatAreWrittenMeanwhileDoNotBeginTheDrainTimeAgain) {
  settle(world);
  reach(world, 25);
  world.want("3");
  ASSERT_TRUE(
      world.run_until([&] { return !world.status().draining.empty() && world.status().draining[0].verified_at; }));
  const absl::Time confirmed = *world.status().draining[0].verified_at;
  ASSERT_TRUE(world.run_until([&] { return world.weight("3") > 0; }));
  ASSERT_LT(world.now - confirmed, absl::Seconds(35)) << "no weight was written in the drain time";
  ASSERT_TRUE(world.run_until([&] { return world.pods[rev("2")].replicas == 0; }));
  EXPECT_GE(world.now - confirmed, absl::Seconds(35));
  EXPECT_LE(world.now - confirmed, absl::Seconds(40));
}

TEST_F(Rules, WithoutChecksAStepIsLeftWhenItsWeightIsVerifiedAndItsHoldIsOver) {
  settle(world);
  world.edit([](auto& spec) {
    spec.rollout.analysis.checks.clear();
    spec.rollout.steps = {{.weight = 10, .hold = absl::Minutes(2)}};
  });
  const absl::Time begun = world.now;
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); })) << world.last_plan.to_string();
  EXPECT_GE(world.now - begun, absl::Minutes(2));
}

TEST_F(Rules, R05_StableIsNotScaledDownBeforeTheNewOneIsFullyAvailableAt100) {
  world.edit([](auto& spec) { spec.replicas = 4; });
  settle(world);
  reach(world, 50);
  world.capacity = 4 + 3;
  world.run_for(absl::Minutes(20));
  EXPECT_EQ(world.pods[rev("1")].replicas, 4);
  EXPECT_EQ(world.weight("2"), 50);
  EXPECT_EQ(world.condition(api::kCapacityAvailable).status, ConditionStatus::kFalse);
  world.capacity = 8;
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); })) << world.last_plan.to_string();
}

TEST_F(Rules, R06_AQuarantinedRevisionGetsNoWeightUntilAPersonSaysRetry) {
  settle(world);
  world.behaviour["2"].error_rate = .3;
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return rolled_back(world); }));
  world.run_for(absl::Minutes(30));
  EXPECT_EQ(world.weight("2"), 0);
  EXPECT_THAT(world.status().quarantined, ElementsAre(Field(&api::QuarantinedRevision::version, "2")));
  world.behaviour["2"].error_rate = 0;
  world.annotate("retry", rev("2"));
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); })) << world.last_plan.to_string();
}

TEST_F(Rules, R06_AQuarantinedRevisionMayComeBackAfterAnotherWasPromoted) {
  settle(world);
  world.behaviour["2"].error_rate = .3;
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return rolled_back(world); }));
  settle(world, "3");
  world.behaviour["2"].error_rate = 0;
  settle(world, "2");
}

TEST_F(Rules, R07_AWriterOfAnEarlierEpochStops) {
  settle(world);
  Observed observed = world.observe();
  observed.status.leader_epoch = 5;
  observed.leader_epoch = 4;
  const Plan stopped = plan(observed);
  EXPECT_THAT(stopped.stop, HasSubstr("later leader"));
  EXPECT_FALSE(stopped.status_changed);
  EXPECT_THAT(stopped.scales, IsEmpty());
  observed.leader_epoch = 0;
  EXPECT_THAT(plan(observed).stop, HasSubstr("does not hold the lease"));
}

TEST_F(Rules, R07_TheEpochIsWrittenWithTheTraffic) {
  settle(world);
  world.leader_epoch = 5;
  world.look();
  EXPECT_EQ(world.status().leader_epoch, 1);
  reach(world, 5);
  EXPECT_EQ(world.status().leader_epoch, 5);
}

TEST_F(Rules, R08_MeasurementsFromBeforeTheVerifiedWeightDecideNothing) {
  settle(world);
  reach(world, 5);
  Observed observed = world.observe();
  Measurements bad{.canary_revision = rev("2"), .from = *world.status().canary->measure_from, .until = world.now};
  bad.stable.requests = bad.canary.requests = 1000;
  bad.canary.errors.http_5xx = 900;
  observed.measurements = bad;
  EXPECT_EQ(plan(observed).status.phase, Phase::kRolledBack);
  observed.measurements->from -= absl::Milliseconds(1);
  EXPECT_EQ(plan(observed).status.phase, Phase::kProgressing);
  observed.measurements = bad;
  observed.measurements->canary_revision = rev("3");
  EXPECT_EQ(plan(observed).status.phase, Phase::kProgressing);
}

TEST_F(Rules, R08_NothingIsMeasuredBeforeEveryProxyHasTheWeight) {
  settle(world);
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return world.weight("2") == 5; }));
  world.proxies["gateway-b"].stuck = true;
  world.run_for(absl::Minutes(3));
  EXPECT_FALSE(world.status().canary->measure_from.has_value());
  EXPECT_EQ(world.status().canary->verified_weight, 0);
  EXPECT_EQ(world.condition(api::kTrafficVerified).status, ConditionStatus::kFalse);
  EXPECT_THAT(world.condition(api::kTrafficVerified).message, HasSubstr("gateway-b"));
  world.proxies["gateway-b"].stuck = false;
  world.pass(kLook);
  world.look();
  EXPECT_TRUE(world.status().canary->measure_from.has_value());
  EXPECT_EQ(world.status().canary->verified_weight, 5);
}

TEST_F(Rules, R09_PlanningTheResultOfAPlanGivesNoAction) {
  settle(world);
  world.want("2");
  for (int i = 0; i < 60; ++i) {
    world.pass(kLook);
    world.look();
    const Plan again = world.look();
    EXPECT_TRUE(again.is_noop()) << again.to_string();
  }
}

TEST_F(Rules, R10_TheFirstDeploymentHasNoStepsAndNoAnalysis) {
  world.want("1");
  world.look();
  EXPECT_EQ(world.pods[rev("1")].replicas, 2);
  EXPECT_EQ(world.status().phase, Phase::kProgressing);
  world.pass(kLook);
  world.look();
  EXPECT_EQ(world.weight("1"), 100);
  world.pass(kLook);
  world.look();
  EXPECT_TRUE(world.is_healthy_at("1"));
  EXPECT_EQ(world.status().history.back().by, "FirstDeployment");
}

// Pods of a deleted namesake may still be there.
TEST_F(Rules, R10_NothingIsPromotedWhileNoReplicasAreWantedWhateverStillServes) {
  world.edit([](auto& spec) { spec.replicas = 0; });
  world.want("1");
  world.look();
  world.pods[rev("1")].available = 1;
  world.look();
  EXPECT_FALSE(world.status().stable.has_value());
  EXPECT_THAT(world.status().traffic, IsEmpty());
  EXPECT_EQ(world.status().summary, "first deployment of version 1: waiting for spec.replicas to be more than 0");
  world.edit([](auto& spec) { spec.replicas = 2; });
  EXPECT_TRUE(world.run_until([&] { return world.is_healthy_at("1"); }, absl::Minutes(2)));
}

TEST_F(Rules, R11_AThirdRevisionReplacesTheCanaryAtStepZeroAndStableStays) {
  settle(world);
  reach(world, 25);
  world.want("3");
  world.look();
  EXPECT_EQ(world.weight("1"), 100);
  EXPECT_EQ(world.status().stable->version, "1");
  ASSERT_TRUE(world.status().canary.has_value());
  EXPECT_EQ(world.status().canary->version, "3");
  EXPECT_EQ(world.status().canary->step, std::nullopt);
  EXPECT_EQ(world.status().history.back().outcome, Outcome::kReplaced);
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("3"); }));
  EXPECT_TRUE(world.run_until([&] { return world.pods[rev("2")].replicas == 0; }, absl::Minutes(2)));
}

TEST_F(Rules, R12_BackToStablesRevisionMidRolloutIsZeroWeightAtOnceAndHealthy) {
  settle(world);
  reach(world, 25);
  world.want("1");
  world.look();
  EXPECT_EQ(world.weight("1"), 100);
  EXPECT_FALSE(world.status().canary.has_value());
  world.pass(kLook);
  world.look();
  EXPECT_TRUE(world.is_healthy_at("1"));
  EXPECT_THAT(world.status().quarantined, IsEmpty());
}

TEST_F(Rules, R14_AStepPauseHoldsUntilAPersonResumesAndIsNoDeadline) {
  world.edit([](auto& spec) { spec.rollout.steps[1].pause = api::Pause{}; });
  settle(world);
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return world.status().phase == Phase::kPaused; }));
  world.run_for(absl::Hours(2));
  EXPECT_EQ(world.weight("2"), 25);
  EXPECT_THAT(world.status().summary, HasSubstr("tidegate.dev/resume=1"));
  world.annotate("resume", "0");
  world.look();
  EXPECT_TRUE(world.saw_event("CommandIgnored"));
  EXPECT_EQ(world.weight("2"), 25);
  world.annotate("resume", "1");
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); })) << world.last_plan.to_string();
}

TEST_F(Rules, R14_ATimedHoldEndsByItselfButNotWithAFailedVerdictStanding) {
  world.edit([](auto& spec) { spec.rollout.steps[0].hold = absl::Minutes(10); });
  settle(world);
  reach(world, 5);
  const absl::Time verified = *world.status().canary->measure_from;
  ASSERT_TRUE(world.run_until([&] { return world.weight("2") == 25; }));
  EXPECT_GE(world.now - verified, absl::Minutes(10));
  world.want("1");
  world.run_for(absl::Minutes(1));
  world.behaviour["3"].error_rate = .5;
  world.edit([](auto& spec) { spec.rollout.on_failure = api::OnFailure::kPause; });
  world.want("3");
  world.run_for(absl::Minutes(30));
  EXPECT_EQ(world.weight("3"), 5);
  EXPECT_EQ(world.status().phase, Phase::kPaused);
}

TEST_F(Rules, R15_SpecPausedStopsProgressWhileScalingAndRollbackGoOn) {
  settle(world);
  reach(world, 5);
  world.edit([](auto& spec) { spec.paused = true; });
  world.run_for(absl::Minutes(30));
  EXPECT_EQ(world.weight("2"), 5);
  EXPECT_EQ(world.status().phase, Phase::kPaused);
  world.edit([](auto& spec) { spec.replicas = 5; });
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.pods[rev("1")].replicas, 5);
  world.behaviour["2"].error_rate = .5;
  ASSERT_TRUE(world.run_until([&] { return world.weight("2") == 0; }));
  EXPECT_THAT(world.status().quarantined, Not(IsEmpty()));
}

TEST_F(Rules, R15_SpecPausedStartsNoNewVersion) {
  settle(world);
  world.edit([](auto& spec) { spec.paused = true; });
  world.want("2");
  world.run_for(absl::Minutes(1));
  EXPECT_FALSE(world.pods.contains(rev("2")));
  EXPECT_EQ(world.status().phase, Phase::kPaused);
  world.edit([](auto& spec) { spec.paused = false; });
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); }));
}

TEST_F(Rules, R16_PastTheProgressDeadlineTheCanaryGoesBack) {
  settle(world);
  world.pods_start = false;
  world.want("2");
  world.run_for(absl::Minutes(9));
  EXPECT_EQ(world.status().phase, Phase::kProgressing);
  ASSERT_TRUE(world.run_until([&] { return rolled_back(world); }, absl::Minutes(2)));
  EXPECT_EQ(world.status().quarantined.back().reason, "ProgressDeadlineExceeded");
  EXPECT_EQ(world.status().history.back().by, "Deadline");
}

TEST_F(Rules, R16_PastTheProgressDeadlineTheFirstDeploymentIsDegradedAndRecovers) {
  world.pods_start = false;
  world.want("1");
  world.run_for(absl::Minutes(11));
  EXPECT_EQ(world.status().phase, Phase::kDegraded);
  EXPECT_EQ(world.condition(api::kStalled).status, ConditionStatus::kTrue);
  world.pods_start = true;
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("1"); }));
}

TEST_F(Rules, R16_ACompletedRolloutIsNeverDeadlineFailed) {
  settle(world);
  settle(world, "2");
  world.pods_start = false;
  world.pods[rev("2")].available = 1;
  world.run_for(absl::Hours(1));
  EXPECT_EQ(world.weight("2"), 100);
  EXPECT_EQ(world.status().stable->version, "2");
}

TEST_F(Rules, R16_MeasuringForLongIsNoMissedDeadline) {
  world.requests_per_second = .05;
  settle(world);
  reach(world, 5);
  world.run_for(absl::Hours(3));
  EXPECT_EQ(world.weight("2"), 5);
}

TEST_F(Rules, R17_PromoteSkipsTheAnalysisButNotAvailability) {
  world.requests_per_second = 0;
  settle(world);
  reach(world, 5);
  world.capacity = 3;
  world.annotate("promote", rev("2"));
  world.run_for(absl::Minutes(20));
  EXPECT_EQ(world.weight("2"), 5);
  world.capacity = 4;
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); })) << world.last_plan.to_string();
  EXPECT_EQ(world.status().history.back().by, "Person");
}

TEST_F(Rules, R17_PromoteOfAnotherRevisionIsIgnoredAndToldOnce) {
  settle(world);
  world.requests_per_second = 0;
  reach(world, 5);
  world.annotate("promote", rev("9"));
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(std::count_if(world.events.begin(), world.events.end(),
                          [](const Event& event) { return event.reason == "CommandIgnored"; }),
            1);
  EXPECT_EQ(world.weight("2"), 5);
}

TEST_F(Rules, R18_AbortIsZeroWeightAtOnceAndPodsFollowAfterTheDelay) {
  settle(world);
  reach(world, 25);
  world.annotate("abort", rev("2"));
  world.look();
  EXPECT_EQ(world.weight("2"), 0);
  EXPECT_GT(world.pods[rev("2")].replicas, 0);
  EXPECT_EQ(world.status().history.back().outcome, Outcome::kAborted);
  EXPECT_EQ(world.status().quarantined.back().reason, "Aborted");
  world.run_for(absl::Minutes(2));
  EXPECT_EQ(world.pods[rev("2")].replicas, 0);
  EXPECT_EQ(world.object.spec.model.version, "2") << "spec is a person's";
}

TEST_F(Rules, R19_OnFailurePauseFreezesTheWeightsAndTellsOnce) {
  world.edit([](auto& spec) { spec.rollout.on_failure = api::OnFailure::kPause; });
  settle(world);
  world.behaviour["2"].error_rate = .5;
  reach(world, 5);
  world.run_for(absl::Hours(1));
  EXPECT_EQ(world.weight("2"), 5);
  EXPECT_EQ(world.status().phase, Phase::kPaused);
  EXPECT_EQ(std::count_if(world.notifications.begin(), world.notifications.end(),
                          [](const Notification& told) { return told.reason == "Failed"; }),
            1);
  world.annotate("abort", rev("2"));
  world.look();
  EXPECT_EQ(world.weight("2"), 0);
}

TEST_F(Rules, R20_TheCanaryDoesNotAdvanceWhileStableIsShortOfReplicas) {
  settle(world);
  reach(world, 5);
  world.pods_start = false;
  world.pods[rev("1")].available = 1;
  world.run_for(absl::Minutes(20));
  EXPECT_EQ(world.weight("2"), 5);
  EXPECT_THAT(world.status().summary, HasSubstr("1 of 2 replicas"));
  world.pods_start = true;
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); }));
}

TEST_F(Rules, R20_AFailingCanaryKeepsServingWhileStableHasNothing) {
  settle(world);
  reach(world, 5);
  world.pods_start = false;
  world.pods[rev("1")].available = 0;
  world.look();
  world.annotate("abort", rev("2"));
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.weight("2"), 100);
  EXPECT_TRUE(world.saw_event("RollbackDeferred"));
  EXPECT_THAT(world.status().summary, HasSubstr("keeps serving"));
  world.pods[rev("1")].available = 1;
  world.look();
  EXPECT_EQ(world.weight("1"), 100);
  EXPECT_FALSE(world.status().canary.has_value());
}

TEST_F(Rules, R21_HoldKeepsMeasuringTellsOnceAndALaterPassAdvances) {
  world.requests_per_second = 1;
  settle(world);
  reach(world, 5);
  world.run_for(absl::Minutes(40));
  EXPECT_EQ(world.weight("2"), 5);
  EXPECT_EQ(world.condition(api::kAnalysisPassing).reason, "Inconclusive");
  EXPECT_EQ(std::count_if(world.notifications.begin(), world.notifications.end(),
                          [](const Notification& told) { return told.reason == "Held"; }),
            1);
  world.requests_per_second = 300;
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); }));
}

TEST_F(Rules, R21_ALaterFailAfterHoldRollsBackWithoutAPerson) {
  world.requests_per_second = 1;
  settle(world);
  reach(world, 5);
  world.run_for(absl::Minutes(40));
  world.behaviour["2"].error_rate = .8;
  world.requests_per_second = 300;
  ASSERT_TRUE(world.run_until([&] { return rolled_back(world); }));
}

TEST_F(Rules, R21_OnInconclusiveMayPromoteOrRollBack) {
  world.requests_per_second = 1;
  world.edit([](auto& spec) { spec.rollout.analysis.on_inconclusive = api::OnInconclusive::kPromote; });
  settle(world);
  world.want("2");
  EXPECT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); }, absl::Hours(3))) << world.last_plan.to_string();
  world.edit([](auto& spec) { spec.rollout.analysis.on_inconclusive = api::OnInconclusive::kRollback; });
  world.want("3");
  ASSERT_TRUE(world.run_until([&] { return rolled_back(world); }, absl::Hours(1)));
  EXPECT_EQ(world.status().quarantined.back().reason, "Inconclusive");
}

TEST_F(Rules, R21_StatusShowsTheRequestsStillNeededAndSaysEarlyWhenTimeWillNotDo) {
  world.requests_per_second = 2;
  settle(world);
  reach(world, 5);
  world.run_for(absl::Minutes(3));
  const api::Condition& condition = world.condition(api::kAnalysisPassing);
  EXPECT_EQ(condition.reason, "NeedsMoreTraffic") << condition.message;
  EXPECT_THAT(condition.message, HasSubstr("larger weight"));
  EXPECT_GT(world.status().analysis[0].requests_needed.value_or(0), 50);
}

TEST_F(Rules, R22_ZeroMeasurementsAreNeverSuccess) {
  world.requests_per_second = 0;
  settle(world);
  reach(world, 5);
  world.run_for(absl::Hours(2));
  EXPECT_EQ(world.weight("2"), 5);
  EXPECT_NE(world.condition(api::kAnalysisPassing).status, ConditionStatus::kTrue);
}

TEST_F(Rules, R22_AMetricsSourceThatFailsIsShownAfter30SecondsAndNeverCountsAsAPass) {
  settle(world);
  reach(world, 5);
  world.metrics_fail = true;
  world.metrics_failed_since = world.now;
  world.pass(absl::Seconds(10));
  world.look();
  EXPECT_NE(world.condition(api::kAnalysisPassing).reason, "MetricsUnavailable");
  world.run_for(absl::Seconds(40));
  EXPECT_EQ(world.condition(api::kAnalysisPassing).reason, "MetricsUnavailable");
  world.run_for(absl::Minutes(40));
  EXPECT_EQ(world.weight("2"), 5);
  EXPECT_EQ(world.condition(api::kAnalysisPassing).reason, "Inconclusive");
}

TEST_F(Rules, R22_NumbersThatHaveStoppedComingPassNothing) {
  world.edit([](auto& spec) { spec.rollout.steps = {{.weight = 50, .hold = absl::Minutes(20)}}; });
  settle(world);
  reach(world, 50);
  world.run_for(absl::Minutes(10));
  EXPECT_EQ(world.condition(api::kAnalysisPassing).reason, "Passing");
  world.metrics_fail = true;
  world.metrics_failed_since = world.now;
  world.run_for(absl::Minutes(15));  // the hold is over
  EXPECT_EQ(world.weight("2"), 50);
  world.metrics_fail = false;
  EXPECT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); }));
}

TEST_F(Rules, R22_AWindowThatIsNotOpenYetIsNoLackOfAVerdict) {
  world.edit([](auto& spec) {
    spec.rollout.steps = {{.weight = 50, .hold = absl::Hours(2)}};
    spec.rollout.analysis.on_inconclusive = api::OnInconclusive::kRollback;
  });
  settle(world);
  reach(world, 50);
  world.run_for(absl::Hours(1));  // beyond maxDuration, passing
  world.window_open = false;      // the leader has changed
  world.look();
  EXPECT_EQ(world.weight("2"), 50);
  world.window_open = true;
  EXPECT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); }, absl::Hours(2)));
}

TEST_F(Rules, R06_AStepOfAllTrafficIsMeasuredAndLeft) {
  world.edit([](auto& spec) {
    spec.rollout.steps = {{.weight = 50}, {.weight = 100}};
    spec.rollout.analysis.checks = {{.metric = api::Metric::kErrorRate, .max = 0.1}};
  });
  settle(world);
  world.want("2");
  EXPECT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); })) << world.last_plan.to_string();
}

TEST_F(Rules, R06_AStepOfAllTrafficTakesAVersionBackThatFailsAtIt) {
  world.edit([](auto& spec) {
    spec.rollout.steps = {{.weight = 50}, {.weight = 100, .hold = absl::Hours(1)}};
    spec.rollout.analysis.checks = {{.metric = api::Metric::kErrorRate, .max = 0.1}};
  });
  settle(world);
  reach(world, 100);
  world.behaviour["2"].error_rate = 0.5;
  EXPECT_TRUE(world.run_until([&] { return rolled_back(world); })) << world.last_plan.to_string();
}

TEST_F(Rules, R24_ASpecThatChangesWhileTheLastReplicasStartLosesNoStep) {
  world.edit([](auto& spec) { spec.replicas = 4; });
  settle(world);
  reach(world, 50);
  world.pods_start = false;
  ASSERT_TRUE(world.run_until([&] { return world.status().canary->step == 3; }));
  world.edit([](auto& spec) { spec.replicas = 5; });
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.status().canary->step, 3);
  EXPECT_EQ(world.pods[rev("2")].replicas, 5);
}

TEST_F(Rules, R24_AStepThatWasPassedMayGoAndTheOneUnderWayIsStillToBePassed) {
  settle(world);
  reach(world, 25);
  world.requests_per_second = 0;
  world.edit([](auto& spec) { spec.rollout.steps = {{.weight = 25}, {.weight = 50}}; });
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.weight("2"), 25);
  EXPECT_EQ(world.status().canary->step, 0);
  world.edit([](auto& spec) { spec.rollout.steps = {{.weight = 25}}; });
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.weight("2"), 25) << "it has not passed";
  world.edit([](auto& spec) { spec.rollout.steps = {{.weight = 10}, {.weight = 60}}; });
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.weight("2"), 10);
}

TEST_F(Rules, R24_ReplicasChangedMidRolloutRescaleBothAndLoseNoStep) {
  world.edit([](auto& spec) { spec.replicas = 4; });
  settle(world);
  reach(world, 25);
  world.requests_per_second = 0;
  world.edit([](auto& spec) { spec.replicas = 12; });
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.pods[rev("1")].replicas, 12);
  EXPECT_EQ(world.pods[rev("2")].replicas, 3);
  EXPECT_EQ(world.weight("2"), 25);
  world.edit([](auto& spec) { spec.replicas = 4; });
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.pods[rev("1")].replicas, 4);
  EXPECT_EQ(world.pods[rev("2")].replicas, 1);
  EXPECT_EQ(world.status().canary->step, 1);
}

TEST_F(Rules, R25_ADeletedObjectKeepsItsLastWeightsAndNoChildIsTouched) {
  settle(world);
  reach(world, 25);
  world.object.metadata.deletion_timestamp = world.now;
  world.want("3");
  world.pods[rev("2")].available = 0;
  const Plan none = plan(world.observe());
  EXPECT_TRUE(none.is_noop());
  EXPECT_EQ(none.status, world.status());
}

TEST_F(Rules, R25_ChildrenOfADeletedNamesakeAreNeverAdopted) {
  world.pods[rev("1")] = {.replicas = 2, .available = 2, .version = "1", .uid = "x", .owner_uid = "uid-of-the-deleted"};
  world.want("1");
  world.run_for(absl::Minutes(20));
  EXPECT_THAT(world.status().traffic, IsEmpty());
  EXPECT_EQ(world.pods[rev("1")].replicas, 2);
  EXPECT_THAT(world.status().summary, HasSubstr("deleted object"));
  world.pods.erase(rev("1"));
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("1"); }));
}

TEST_F(Rules, R26_OldRevisionsStayAtZeroReplicasForHistoryLimitAndAreThenDeleted) {
  world.edit([](auto& spec) { spec.rollout.history_limit = 2; });
  for (const char* version : {"1", "2", "3", "4"}) settle(world, version);
  world.run_for(absl::Minutes(3));
  EXPECT_FALSE(world.pods.contains(rev("1")));
  EXPECT_EQ(world.pods.at(rev("2")).replicas, 0);
  EXPECT_EQ(world.pods.at(rev("3")).replicas, 0);
  EXPECT_EQ(world.status().history.size(), 2u);
}

TEST_F(Rules, R27_ARestartedOperatorGoesOnWhereTheOldOneWas) {
  settle(world);
  reach(world, 25);
  const api::CanaryStatus before = *world.status().canary;
  world.restart_operator();
  world.leader_epoch = 2;
  world.look();
  EXPECT_EQ(world.status().canary->measure_from, before.measure_from);
  EXPECT_EQ(world.weight("2"), 25);
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); }));
}

TEST_F(Rules, R28_GitRevertingToTheQuarantinedVersionChangesNothingAndSaysSo) {
  settle(world);
  world.behaviour["2"].error_rate = .4;
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return rolled_back(world); }));
  world.want("1");
  world.run_for(absl::Minutes(1));
  EXPECT_TRUE(world.is_healthy_at("1"));
  world.want("2");
  world.run_for(absl::Minutes(10));
  EXPECT_EQ(world.weight("2"), 0);
  EXPECT_EQ(world.status().phase, Phase::kRolledBack);
  EXPECT_THAT(world.status().summary, HasSubstr("tidegate.dev/retry=" + rev("2")));
  settle(world, "3");
}

TEST_F(Rules, ACanaryThatDoesNotLoadIsTakenBackAtOnceAndStableKeepsServing) {
  settle(world);
  world.behaviour["2"] = {.failure = PodFailureKind::kModelLoadFailed,
                          .failure_reason = "ModelLoadFailed",
                          .failure_message = "no MetaGraph with tag serve"};
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return rolled_back(world); }, absl::Seconds(15)));
  EXPECT_EQ(world.weight("1"), 100);
  EXPECT_EQ(world.status().quarantined.back().reason, "ModelLoadFailed");
  EXPECT_EQ(world.condition(api::kRuntimeReady).reason, "ModelLoadFailed");
  EXPECT_THAT(world.condition(api::kRuntimeReady).message, HasSubstr("no MetaGraph with tag serve"));
  EXPECT_EQ(world.requests_failed, 0);
}

TEST_F(Rules, AFirstModelThatDoesNotLoadIsDegradedWithTheRuntimesWordsAndIsNotGivenUp) {
  world.behaviour["1"] = {.failure = PodFailureKind::kModelLoadFailed, .failure_message = "bad graph"};
  world.want("1");
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.status().phase, Phase::kDegraded);
  EXPECT_THAT(world.status().summary, HasSubstr("bad graph"));
  world.behaviour["1"] = {};
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("1"); }));
}

TEST_F(Rules, AVersionThatIsNotThereLeavesStableServing) {
  settle(world);
  world.want("9");
  world.resolved = false;
  world.resolve_error = ResolveError{"VersionNotFound", "version 9 is not in s3://models/digits; there are 1, 2"};
  world.run_for(absl::Minutes(1));
  EXPECT_EQ(world.weight("1"), 100);
  EXPECT_EQ(world.condition(api::kModelResolved).reason, "VersionNotFound");
  EXPECT_EQ(world.condition(api::kReady).status, ConditionStatus::kFalse);
  EXPECT_THAT(world.status().summary, HasSubstr("there are 1, 2"));
}

TEST_F(Rules, WaitingForAnAcceleratorIsNoFailureAndSaysWhatTheSchedulerSays) {
  world.edit([](auto& spec) {
    spec.accelerator.type = api::AcceleratorType::kGpu;
    spec.replicas = 1;
  });
  world.capacity = 1;
  settle(world);
  world.want("2");
  world.run_for(absl::Hours(2));
  EXPECT_EQ(world.status().phase, Phase::kProgressing);
  EXPECT_EQ(world.condition(api::kCapacityAvailable).status, ConditionStatus::kFalse);
  EXPECT_THAT(world.condition(api::kCapacityAvailable).message, HasSubstr("Insufficient nvidia.com/gpu"));
  EXPECT_EQ(world.pods[rev("1")].replicas, 1) << "the last replica is never freed";
  world.capacity = 2;
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); })) << world.last_plan.to_string();
}

TEST_F(Rules, SurgeNeverSwapsReplicasOfScarceAcceleratorsOneForOne) {
  world.edit([](auto& spec) {
    spec.accelerator.type = api::AcceleratorType::kGpu;
    spec.rollout.surge = api::Surge::kNever;
    spec.replicas = 4;
  });
  world.capacity = 4;
  settle(world);
  world.want("2");
  ASSERT_TRUE(world.run_until([&] { return world.is_healthy_at("2"); })) << world.last_plan.to_string();
  EXPECT_EQ(world.pods[rev("2")].replicas, 4);
}

TEST_F(Rules, SurgeNeverWithOneReplicaSaysWhatToDo) {
  world.edit([](auto& spec) {
    spec.accelerator.type = api::AcceleratorType::kGpu;
    spec.rollout.surge = api::Surge::kNever;
    spec.replicas = 1;
  });
  settle(world);
  world.want("2");
  world.run_for(absl::Minutes(30));
  EXPECT_EQ(world.condition(api::kCapacityAvailable).reason, "SurgeForbidden");
  EXPECT_EQ(world.weight("1"), 100);
}

TEST_F(Rules, SurgeAutoFreesWhatStableCanSpareOnceTheSchedulerHasNoRoom) {
  world.edit([](auto& spec) {
    spec.accelerator.type = api::AcceleratorType::kGpu;
    spec.replicas = 5;
  });
  world.capacity = 5;
  settle(world);
  world.want("2");
  world.run_for(absl::Minutes(3));
  EXPECT_EQ(world.pods[rev("1")].replicas, 4);
  EXPECT_GE(world.weight("2"), 5);
}

TEST_F(Rules, ConditionsChangeTheirTransitionTimeOnlyWhenTheirStatusFlips) {
  settle(world);
  const absl::Time since = world.condition(api::kReady).last_transition_time;
  world.run_for(absl::Minutes(10));
  EXPECT_EQ(world.condition(api::kReady).last_transition_time, since);
  reach(world, 5);
  EXPECT_EQ(world.condition(api::kReady).status, ConditionStatus::kUnknown);
  EXPECT_EQ(world.condition(api::kReconciling).status, ConditionStatus::kTrue);
  EXPECT_GT(world.condition(api::kReady).last_transition_time, since);
}

TEST_F(Rules, NumbersAloneAreWrittenAtMostEach30Seconds) {
  world.requests_per_second = 4;
  settle(world);
  reach(world, 5);
  world.run_for(absl::Minutes(1));
  const int before = world.status_writes;
  world.run_for(absl::Minutes(10));
  EXPECT_LE(world.status_writes - before, 21);
  EXPECT_GE(world.status_writes - before, 10);
}

Workload& workload_in(Observed& observed, const std::string& version) {
  for (Workload& workload : observed.workloads) {
    if (workload.revision == rev(version)) return workload;
  }
  throw std::logic_error("there is no such workload");
}

TEST_F(Rules, ReplicasThatComeAndGoAreNumbersAsLongAsNothingFollowsFromThem) {
  settle(world);
  reach(world, 5);
  Observed observed = world.observe();
  observed.status_written = observed.now;
  --workload_in(observed, "1").available;
  const Plan later = plan(observed);
  EXPECT_FALSE(later.status_changed);
  EXPECT_LE(*later.requeue_after, absl::Seconds(30));
  observed.now += absl::Seconds(30);
  EXPECT_TRUE(plan(observed).status_changed);
  EXPECT_EQ(plan(observed).status.stable->available, world.status().stable->available - 1);
  observed.now -= absl::Seconds(30);
  workload_in(observed, "1").available = 0;
  EXPECT_TRUE(plan(observed).status_changed) << "its share moves at once";
}

TEST_F(Rules, ThatAModelIsLookedForIsWrittenOnlyWhenItTakesLong) {
  settle(world);
  Observed observed = world.observe();
  ++observed.metadata.generation;
  observed.wanted.reset();
  observed.resolving_since = observed.now;
  const Plan at_once = plan(observed);
  EXPECT_FALSE(at_once.status_changed);
  EXPECT_LE(*at_once.requeue_after, absl::Seconds(10));
  observed.now += absl::Seconds(10);
  const Plan later = plan(observed);
  EXPECT_TRUE(later.status_changed);
  EXPECT_EQ(later.status.observed_generation, observed.metadata.generation);
}

TEST_F(Rules, AShareMovesThoughAModelIsBeingLookedFor) {
  settle(world);
  reach(world, 5);
  Observed observed = world.observe();
  observed.wanted.reset();
  observed.resolving_since = observed.now;
  workload_in(observed, "1").available = 0;
  const Plan made = plan(observed);
  EXPECT_TRUE(made.status_changed);
  EXPECT_NE(made.status.traffic, observed.status.traffic);
}

TEST_F(Rules, AHealthyObjectIsNotWrittenAtAll) {
  settle(world);
  world.run_for(absl::Minutes(1));
  const int before = world.status_writes;
  world.run_for(absl::Hours(1));
  EXPECT_EQ(world.status_writes, before);
}

TEST_F(Rules, APassedStepStaysPassedWhenStepsAreEditedButAShorterListIsNoPass) {
  settle(world);
  reach(world, 50);
  world.requests_per_second = 0;
  world.edit([](auto& spec) { spec.rollout.steps.resize(1); });
  world.run_for(absl::Minutes(20));
  EXPECT_EQ(world.weight("2"), 5);
}

TEST_F(Rules, TheSummaryTellsWeightRequestsAndWhatIsWaitedFor) {
  settle(world);
  reach(world, 25);
  world.requests_per_second = 10;
  world.pass(absl::Seconds(30));
  world.look();
  EXPECT_THAT(world.last_plan.status.summary, HasSubstr("version 2 at 25 %: "));
  EXPECT_THAT(world.last_plan.status.summary, HasSubstr("requests, errors "));
  EXPECT_THAT(world.last_plan.status.summary, HasSubstr("holding until"));
}

}  // namespace
}  // namespace tidegate::rollout
