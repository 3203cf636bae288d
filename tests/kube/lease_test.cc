#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "kube/lease_decision.h"
#include "kube/lease_elector.h"
#include "kube_fixture.h"

namespace tidegate::kube {
namespace {

const base::ObjectKey kLease{"tidegate-system", "tidegate-operator"};

LeaseObservation held_by(const std::string& holder, absl::Duration since) {
  Lease lease;
  lease.holder = holder;
  lease.duration_seconds = 15;
  lease.transitions = 3;
  return {true, lease, since};
}

TEST(LeaseDecision, WaitsFromTheLastChangeThatItSawItself) {
  const LeaseObservation observed = held_by("other", absl::Seconds(100));
  const LeaseTiming timing;
  EXPECT_EQ(decide_lease(observed, "me", false, absl::Seconds(114.9), timing), LeaseDecision::kWait);
  EXPECT_EQ(decide_lease(observed, "me", false, absl::Seconds(115), timing), LeaseDecision::kTake);
}

TEST(LeaseDecision, IgnoresTheTimesThatTheHolderWrote) {
  LeaseObservation observed = held_by("other", absl::Seconds(100));
  observed.lease.renewed = absl::FromUnixSeconds(0);  // a clock that is years behind
  EXPECT_EQ(decide_lease(observed, "me", false, absl::Seconds(101), {}), LeaseDecision::kWait);
}

TEST(LeaseDecision, StartsWaitingAnewWithEveryRenewal) {
  LeaseObservation observed = held_by("other", absl::Seconds(100));
  Lease renewed = observed.lease;
  renewed.renewed = absl::FromUnixSeconds(7);
  observed = observe_lease(observed, renewed, absl::Seconds(110));
  EXPECT_EQ(observed.changed_at, absl::Seconds(110));
  observed = observe_lease(observed, renewed, absl::Seconds(112));
  EXPECT_EQ(observed.changed_at, absl::Seconds(110));
}

TEST(LeaseDecision, TakesAFreeLeaseAtOnceAndCountsTheEpoch) {
  const LeaseObservation observed = held_by("", absl::Seconds(100));
  EXPECT_EQ(decide_lease(observed, "me", false, absl::Seconds(100), {}), LeaseDecision::kTake);
  EXPECT_EQ(lease_taken(observed, "me", absl::UnixEpoch(), {}).transitions, 4);
  // The Lease was deleted meanwhile, but what the leaders before wrote is still there.
  EXPECT_EQ(lease_taken(observed, "me", absl::UnixEpoch(), {}, /*epoch_floor=*/7).transitions, 8);
  EXPECT_EQ(lease_renewed(held_by("me", {}), absl::UnixEpoch()).transitions, 3);
}

TEST(LeaseDecision, WaitsForTheLongerOfTwoPromises) {
  LeaseObservation observed = held_by("other", absl::Seconds(100));
  observed.lease.duration_seconds = 60;
  EXPECT_EQ(decide_lease(observed, "me", false, absl::Seconds(159), {}), LeaseDecision::kWait);
}

TEST(LeaseDecision, RefusesTimingThatCouldMakeTwoLeaders) {
  EXPECT_TRUE(LeaseTiming{}.validate().ok());
  const auto seconds = [](int duration, int deadline, int renew, int retry) {
    return LeaseTiming{absl::Seconds(duration), absl::Seconds(deadline), absl::Seconds(renew), absl::Seconds(retry)};
  };
  EXPECT_TRUE(seconds(15, 10, 2, 2).validate().ok());
  EXPECT_FALSE(seconds(10, 10, 4, 2).validate().ok());
  EXPECT_FALSE(seconds(15, 4, 4, 2).validate().ok());
  EXPECT_FALSE(seconds(15, 10, 2, 4).validate().ok());
  EXPECT_FALSE(seconds(15, 10, 4, 0).validate().ok());
}

// One replica: its elector and what it was told.
struct Replica {
  Replica(Client& client, base::Clock& clock, const std::string& identity, std::vector<std::string>& story)
      : elector(client, clock, {kLease, identity, {}},
                {[&story, identity](int64_t epoch) { story.push_back(base::cat(identity, " leads ", epoch)); },
                 [&story, identity](const std::string&) { story.push_back(identity + " lost"); }, nullptr}) {}

  base::Scope scope;
  LeaseElector elector;
};

class LeaseElectorTest : public KubeTest {
 protected:
  ~LeaseElectorTest() override {
    a_.scope.cancel();
    b_.scope.cancel();
    cut_off_.clear();
    pass(absl::Seconds(10));
  }
  void SetUp() override {
    server_.intercept = [this](const net::HttpRequest& request) -> std::optional<FakeApiServer::Answer> {
      for (const auto& [key, value] : request.headers) {
        if (key == "user-agent" && cut_off_.contains(value)) {
          return FakeApiServer::Answer(absl::UnavailableError("no route to host"));
        }
      }
      return std::nullopt;
    };
  }
  static ClientConfig named(const std::string& name) {
    ClientConfig named = config();
    named.user_agent = name;
    return named;
  }

  Client client_a_{server_, named("a")};
  Client client_b_{server_, named("b")};
  std::vector<std::string> story_;
  std::set<std::string> cut_off_;
  Replica a_{client_a_, clock_, "a", story_};
  Replica b_{client_b_, clock_, "b", story_};
};

TEST_F(LeaseElectorTest, ElectsOneOfTwo) {
  loop_.spawn(a_.elector.run(a_.scope));
  loop_.spawn(b_.elector.run(b_.scope));
  pass(absl::Minutes(10));
  EXPECT_EQ(story_.size(), 1u);
  EXPECT_NE(a_.elector.is_leader(), b_.elector.is_leader());
  EXPECT_EQ(int_at(*server_.get(resources::leases(), kLease), {"spec", "leaseTransitions"}), 1);
}

TEST_F(LeaseElectorTest, HandsOverAtOnceWhenTheLeaderShutsDown) {
  loop_.spawn(a_.elector.run(a_.scope));
  pass(absl::Seconds(3));
  loop_.spawn(b_.elector.run(b_.scope));
  pass(absl::Seconds(30));
  a_.scope.cancel();
  pass(absl::Seconds(2));
  EXPECT_THAT(story_, ::testing::ElementsAre("a leads 1", "a lost", "b leads 2"));
  EXPECT_EQ(b_.elector.epoch(), 2);
  EXPECT_EQ(a_.elector.epoch(), 0);
}

TEST_F(LeaseElectorTest, StopsLeadingBeforeAnotherCanTakeTheLease) {
  loop_.spawn(a_.elector.run(a_.scope));
  pass(absl::Seconds(3));
  loop_.spawn(b_.elector.run(b_.scope));
  pass(absl::Seconds(30));
  cut_off_ = {"a"};
  pass(absl::Seconds(10));
  EXPECT_THAT(story_, ::testing::ElementsAre("a leads 1", "a lost"));
  pass(absl::Seconds(10));
  EXPECT_THAT(story_, ::testing::ElementsAre("a leads 1", "a lost", "b leads 2"));
  cut_off_.clear();
  pass(absl::Minutes(5));
  EXPECT_EQ(story_.size(), 3u) << "the one that came back waits";
}

TEST_F(LeaseElectorTest, DoesNotBelieveItselfAfterASleep) {
  loop_.spawn(a_.elector.run(a_.scope));
  pass(absl::Seconds(3));
  EXPECT_TRUE(a_.elector.is_leader());
  // The process is stopped: time goes on, but no timer of its own runs.
  struct : base::Clock {
    base::ManualClock* inner;
    absl::Time now() const override { return inner->now(); }
    absl::Duration uptime() const override { return inner->uptime() + slept; }
    std::unique_ptr<Timer> after(absl::Duration d, std::function<void()> f) override {
      return inner->after(d, std::move(f));
    }
    absl::Duration slept;
  } clock;
  clock.inner = &clock_;
  base::Scope scope;
  LeaseElector sleeper(client_a_, clock, {{"tidegate-system", "another"}, "a", {}}, {});
  loop_.spawn(sleeper.run(scope));
  pass(absl::Seconds(3));
  EXPECT_TRUE(sleeper.is_leader());
  clock.slept = absl::Minutes(1);
  EXPECT_FALSE(sleeper.is_leader());
  EXPECT_EQ(sleeper.epoch(), 0);
  scope.cancel();
  pass(absl::Seconds(1));
}

TEST_F(LeaseElectorTest, LeadsOnThroughAShortOutage) {
  loop_.spawn(a_.elector.run(a_.scope));
  pass(absl::Seconds(3));
  cut_off_ = {"a"};
  pass(absl::Seconds(4.9));  // the renewals of the fourth and of the sixth second fail
  cut_off_.clear();
  pass(absl::Seconds(60));
  EXPECT_THAT(story_, ::testing::ElementsAre("a leads 1"));
}

TEST_F(LeaseElectorTest, RenewsEveryFourSecondsAndTriesAgainAfterTwo) {
  loop_.spawn(a_.elector.run(a_.scope));
  pass(absl::Seconds(1));
  size_t before = server_.log.size();
  pass(absl::Seconds(60));
  EXPECT_EQ(server_.log.size() - before, 15u);
  pass(absl::Seconds(2));  // one second before the next
  cut_off_ = {"a"};
  before = server_.log.size();
  pass(absl::Seconds(4));  // fails after one and after three
  cut_off_.clear();
  pass(absl::Seconds(2));
  EXPECT_GT(server_.log.size(), before);
  pass(absl::Minutes(1));
  EXPECT_THAT(story_, ::testing::ElementsAre("a leads 1"));
}

TEST_F(LeaseElectorTest, StepsDownWhenSomebodyElseTookTheLease) {
  loop_.spawn(a_.elector.run(a_.scope));
  pass(absl::Seconds(3));
  Json lease = *server_.get(resources::leases(), kLease);
  lease["spec"]["holderIdentity"] = "a person";
  lease["spec"]["renewTime"] = format_micro_time(clock_.now());
  server_.put(resources::leases(), lease);
  pass(absl::Seconds(5));
  EXPECT_THAT(story_, ::testing::ElementsAre("a leads 1", "a lost"));
  EXPECT_EQ(a_.elector.holder(), "a person");
}

TEST_F(LeaseElectorTest, RecoversWhenAnAnswerIsLost) {
  loop_.spawn(a_.elector.run(a_.scope));
  pass(absl::Seconds(3));
  server_.lose_answers = true;
  pass(absl::Seconds(4));
  server_.lose_answers = false;
  pass(absl::Seconds(60));
  EXPECT_THAT(story_, ::testing::ElementsAre("a leads 1"));
  EXPECT_TRUE(a_.elector.is_leader());
}

TEST_F(LeaseElectorTest, NeverHasTwoLeadersThroughAnyCuts) {
  loop_.spawn(a_.elector.run(a_.scope));
  loop_.spawn(b_.elector.run(b_.scope));
  for (int i = 0; i < 500; ++i) {
    cut_off_.clear();
    if (random_.next() % 3 == 0) cut_off_.insert("a");
    if (random_.next() % 3 == 0) cut_off_.insert("b");
    server_.lose_answers = random_.next() % 5 == 0;
    const absl::Duration spell = absl::Seconds(20) * random_.uniform();
    for (int step = 0; step < 20; ++step) {
      pass(spell / 20);
      ASSERT_FALSE(a_.elector.is_leader() && b_.elector.is_leader()) << "round " << i;
    }
  }
  EXPECT_GT(story_.size(), 10u) << "the leader should have changed now and then";
}

}  // namespace
}  // namespace tidegate::kube
