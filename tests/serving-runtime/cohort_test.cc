#include "serving-runtime/core/cohort.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "fake_backend.h"
#include "serving-runtime/api/admission.h"
#include "serving-runtime/server/rest_router.h"

namespace tidegate::serving {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr absl::Duration kShort = absl::Microseconds(1);

// Notes what happens.
class CohortTest : public testing::Test {
 protected:
  Cohort::Work member(const std::string& name) {
    return [this, name] {
      events_.push_back(name + " runs");
      Cohort::answer([this, name] { events_.push_back(name + " is answered"); });
    };
  }

  std::vector<std::string> events_;
};

TEST_F(CohortTest, RunsAllMembersBeforeItAnswersOne) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  cohort.add(kShort, member("a"));
  cohort.add(kShort, member("b"));
  EXPECT_THAT(events_, IsEmpty());
  cohort.run();
  EXPECT_THAT(events_, ElementsAre("a runs", "b runs", "a is answered", "b is answered"));
  EXPECT_TRUE(cohort.empty());
}

TEST_F(CohortTest, RunsWhenItIsFull) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  for (size_t i = 1; i < Cohort::kMostMembers; ++i) cohort.add(kShort, member("one"));
  EXPECT_THAT(events_, IsEmpty());
  cohort.add(kShort, member("the last"));
  EXPECT_EQ(events_.size(), 2 * Cohort::kMostMembers);
}

TEST_F(CohortTest, RunsWhenItWouldTakeLong) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  cohort.add(Cohort::kQuick / 2, member("a"));
  EXPECT_THAT(events_, IsEmpty());
  cohort.add(Cohort::kQuick / 2, member("b"));
  EXPECT_EQ(events_.size(), 4u);
  cohort.add(Cohort::kQuick / 2, member("c"));
  EXPECT_EQ(events_.size(), 4u) << "what has run counts no longer";
}

TEST_F(CohortTest, TellsOfEachFirstMember) {
  int told = 0;
  Cohort cohort(Cohort::Takes::kQuickOnes, [&] { ++told; });
  for (int i = 0; i < 2; ++i) {
    cohort.add(kShort, member("a"));
    cohort.add(kShort, member("b"));
    cohort.run();
  }
  EXPECT_EQ(told, 2);
}

TEST_F(CohortTest, RunsWhatComesWhileItAnswers) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  cohort.add(kShort, [&] {
    Cohort::answer([&] {
      for (size_t i = 0; i < Cohort::kMostMembers; ++i) cohort.add(kShort, member("late"));
      events_.push_back("the first is answered");
    });
    Cohort::answer([&] { events_.push_back("the second is answered"); });
  });
  cohort.run();
  ASSERT_EQ(events_.size(), 2 + 2 * Cohort::kMostMembers);
  EXPECT_EQ(events_[1], "the second is answered");
  EXPECT_EQ(events_[2], "late runs");
}

TEST_F(CohortTest, TakesWhatIsQuickAndSmallAlone) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  EXPECT_TRUE(cohort.takes(Cohort::kQuick, Cohort::kQuickBytes));
  EXPECT_FALSE(cohort.takes(Cohort::kQuick + absl::Nanoseconds(1), 0));
  EXPECT_FALSE(cohort.takes(kShort, Cohort::kQuickBytes + 1));
}

TEST_F(CohortTest, TakesNothingWhereRequestsWaitForOthers) {
  EXPECT_FALSE(Cohort(Cohort::Takes::kNone, nullptr).takes(absl::ZeroDuration(), 0));
}

TEST_F(CohortTest, IsThatOfItsThreadAlone) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  EXPECT_EQ(Cohort::of_this_thread(), &cohort);
  std::thread([this] {
    EXPECT_EQ(Cohort::of_this_thread(), nullptr);
    member("a")();
  }).join();
  EXPECT_THAT(events_, ElementsAre("a runs", "a is answered"));
}

// Predictions on their way to a model, as a front end sends them.
class AdmissionTest : public CohortTest {
 protected:
  AdmissionTest() {
    auto alive = std::make_shared<std::atomic<int>>(0);
    servable_ =
        std::make_shared<const Servable>("m", 1, "", "fake", std::make_unique<FakeModel>(absl::OkStatus(), alive));
    directory_.update(
        [&](ServableTable& table) { table.models["m"].versions[1] = {VersionState::kAvailable, {}, servable_}; });
  }

  void has_taken(absl::Duration took) { servable_->statistics().succeeded({.total = took}, 1, absl::UnixEpoch()); }
  void ask(const std::string& model = "m", size_t bytes = 10) {
    admit(
        context_, {Api::kOipRest, model, bytes}, [this] { member("it")(); },
        [this](const absl::Status&) { events_.push_back("it is refused"); });
  }

  std::shared_ptr<const Servable> servable_;
  ServableDirectory directory_;
  std::vector<InferenceGate::Work> posted_;
  InferenceGate gate_{{1, 0}, [this](InferenceGate::Work work) { posted_.push_back(std::move(work)); }};
  RequestMetrics metrics_;
  base::ManualClock clock_;
  FrontEndContext context_{directory_, gate_, metrics_, clock_};
};

TEST_F(AdmissionTest, RunsAPredictionAtOnceOnAThreadThatMayBeKept) {
  ask();
  EXPECT_THAT(events_, ElementsAre("it runs", "it is answered"));
}

TEST_F(AdmissionTest, LetsAQuickPredictionJoinTheCohort) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  has_taken(kShort);
  ask();
  EXPECT_FALSE(cohort.empty());
  cohort.run();
  EXPECT_THAT(events_, ElementsAre("it runs", "it is answered"));
  EXPECT_THAT(posted_, IsEmpty());
}

TEST_F(AdmissionTest, KeepsAllOthersOffAThreadThatPolls) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  ask();  // nobody knows yet how long it takes
  ASSERT_EQ(posted_.size(), 1u);
  EXPECT_THAT(events_, IsEmpty());
  posted_[0]();
  EXPECT_THAT(events_, ElementsAre("it runs", "it is answered"));

  has_taken(kShort);
  ask("m", Cohort::kQuickBytes + 1);
  ASSERT_EQ(posted_.size(), 2u) << "it is large";
  posted_[1]();

  for (int i = 0; i < 100; ++i) has_taken(absl::Seconds(1));
  ask();
  EXPECT_EQ(posted_.size(), 3u) << "it is slow";
  EXPECT_TRUE(cohort.empty());
}

TEST_F(AdmissionTest, RefusesAMemberOfTheCohortForWhichThereIsNoSlot) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  ask();  // is posted and keeps the only slot
  has_taken(kShort);
  ask();
  cohort.run();
  EXPECT_THAT(events_, ElementsAre("it is refused"));
}

// What a thread that polls REST connections does itself.
class HandoverTest : public AdmissionTest {
 protected:
  HandoverTest() {
    context_.post = [this](std::function<void()> work) { handed_over_.push_back(std::move(work)); };
  }

  void send(std::string method, std::string target, std::string body = "", net::Headers headers = {}) {
    router_.handle({std::move(method), std::move(target), std::move(headers), std::move(body), ""},
                   net::Responder([this](const net::ServerResponse&) { events_.push_back("answered"); }));
  }

  AccessTokens tokens_;
  RestRouter router_{context_, tokens_, {}, {}};
  std::vector<std::function<void()>> handed_over_;
};

TEST_F(HandoverTest, ProbesAndShortRequestsStay) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  send("GET", "/v2/health/live");
  send("POST", "/v2/models/nope/infer");
  EXPECT_THAT(handed_over_, IsEmpty());
  EXPECT_EQ(posted_.size(), 1u) << "of a model that nobody knows";
}

TEST_F(HandoverTest, WhatMayTakeLongIsAnsweredElsewhere) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  send("GET", "/metrics");
  send("GET", "/v2");
  send("POST", "/v2/models/m/infer", std::string(Cohort::kQuickBytes + 1, ' '));
  send("POST", "/v2/models/m/infer", "{}", {{"Content-Encoding", "gzip"}});
  ASSERT_EQ(handed_over_.size(), 4u);
  EXPECT_THAT(events_, IsEmpty());
  std::thread([this] { handed_over_[0](); }).join();
  EXPECT_THAT(events_, ElementsAre("answered"));
}

TEST_F(HandoverTest, APredictionOverRestThatHasWaitedTooLongIsNotRun) {
  Cohort cohort(Cohort::Takes::kQuickOnes, nullptr);
  context_.rules.rest_timeout = absl::Seconds(30);
  auto status_after = [&, this](absl::Duration wait) {
    int status = 0;
    router_.handle({"POST", "/v1/models/m:predict", {}, R"({"instances":[1]})", ""},
                   net::Responder([&status](const net::ServerResponse& response) { status = response.status; }));
    clock_.advance(wait);
    cohort.empty() ? posted_.back()() : cohort.run();
    return status;
  };
  EXPECT_EQ(status_after(absl::Seconds(29)), 200);
  EXPECT_EQ(status_after(absl::Seconds(31)), 504);
}

}  // namespace
}  // namespace tidegate::serving
