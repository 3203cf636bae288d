#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "fake_backend.h"
#include "serving-runtime/repository/load_planner.h"
#include "serving-runtime/repository/model_repository.h"
#include "serving-runtime/repository/version_folders.h"

namespace tidegate::serving {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1000);

TEST(LoadPlanner, LoadsTheNewVersionBeforeItUnloadsTheOldOne) {
  std::map<int64_t, VersionProgress> present = {{1, {VersionState::kAvailable}}};
  auto action = next_action({2}, present, kNow);
  ASSERT_TRUE(action);
  EXPECT_EQ(action->step, Step::kLoad);
  EXPECT_EQ(action->version, 2);
  present[2].state = VersionState::kAvailable;
  action = next_action({2}, present, kNow);
  EXPECT_EQ(action->step, Step::kUnload);
  EXPECT_EQ(action->version, 1);
  present[1].state = VersionState::kUnloading;
  EXPECT_FALSE(next_action({2}, present, kNow));
}

TEST(LoadPlanner, KeepsAnOldVersionWhileTheNewOneCannotBeLoaded) {
  std::map<int64_t, VersionProgress> present = {{1, {VersionState::kAvailable}},
                                                {2, {VersionState::kEnd, 1, kNow + kLoadRetryInterval}}};
  EXPECT_FALSE(next_action({2}, present, kNow));
  EXPECT_EQ(next_action({2}, present, kNow + kLoadRetryInterval)->step, Step::kLoad);
  present[2].failures = kMaxLoads;
  EXPECT_FALSE(next_action({2}, present, kNow + kLoadRetryInterval));
}

TEST(LoadPlanner, LoadsTheNewestFirst) {
  EXPECT_EQ(next_action({1, 2, 3}, {}, kNow)->version, 3);
  EXPECT_THAT(newest({1, 5, 3}, 2), ElementsAre(3, 5));
}

class RepositoryTest : public testing::Test {
 protected:
  RepositoryTest()
      : base_(fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(base_);
    fs::create_directories(base_);
  }
  ~RepositoryTest() override { fs::remove_all(base_); }
  void add(const std::string& version) { fs::create_directories(base_ / version); }
  ModelRepository repository(size_t latest = 1) {
    return ModelRepository(
        {"m", base_, latest, {}, true}, [this](const std::string&) { return &backend_; }, directory_, clock_);
  }
  std::vector<std::pair<int64_t, VersionState>> states() {
    std::vector<std::pair<int64_t, VersionState>> out;
    for (const auto& [version, entry] : directory_.read()->models.at("m").versions)
      out.emplace_back(version, entry.state);
    return out;
  }

  fs::path base_;
  FakeBackend backend_;
  ServableDirectory directory_;
  base::ManualClock clock_;
};

TEST_F(RepositoryTest, ListsNumbersOnly) {
  for (const char* name : {"1", "00000002", "x", "3.tmp", "-4"}) add(name);
  auto folders = list_version_folders(base_);
  EXPECT_THAT(*folders, ElementsAre(testing::Pair(1, testing::_), testing::Pair(2, testing::EndsWith("/00000002"))));
  EXPECT_EQ(list_version_folders(base_ / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RepositoryTest, IsNotReadyBeforeAVersionWasLoadedAndWarmedUp) {
  auto models = repository();
  EXPECT_FALSE(directory_.read()->ready());
  EXPECT_THAT(models.step().message(), HasSubstr("No versions of model m found under base path"));
  add("1");
  EXPECT_TRUE(models.step().ok());
  EXPECT_TRUE(directory_.read()->ready());
  EXPECT_THAT(states(), ElementsAre(std::pair(int64_t{1}, VersionState::kAvailable)));
}

TEST_F(RepositoryTest, FreesAnOldVersionOnlyWhenNoRequestUsesIt) {
  add("1");
  auto models = repository();
  ASSERT_TRUE(models.step().ok());
  auto in_flight = *directory_.read()->find({"m", {}, {}});
  add("2");
  ASSERT_TRUE(models.step().ok());
  EXPECT_EQ((*directory_.read()->find({"m", {}, {}}))->version(), 2);
  EXPECT_THAT(states(), ElementsAre(std::pair(int64_t{2}, VersionState::kAvailable),
                                    std::pair(int64_t{1}, VersionState::kUnloading)));
  EXPECT_EQ(*backend_.alive, 2);
  in_flight.reset();
  ASSERT_TRUE(models.step().ok());
  EXPECT_THAT(states(),
              ElementsAre(std::pair(int64_t{2}, VersionState::kAvailable), std::pair(int64_t{1}, VersionState::kEnd)));
  EXPECT_EQ(*backend_.alive, 1);
}

TEST_F(RepositoryTest, KeepsServingWhenTheBasePathVanishes) {
  add("1");
  auto models = repository();
  ASSERT_TRUE(models.step().ok());
  fs::remove_all(base_);
  EXPECT_FALSE(models.step().ok());
  EXPECT_TRUE(directory_.read()->ready());
}

TEST_F(RepositoryTest, RetriesALoadThatFailedAfterAPauseAndThenGivesUp) {
  add("1");
  backend_.on_load = [](const std::string&) { return absl::DataLossError("torn"); };
  auto models = repository();
  EXPECT_EQ(models.step().message(), "Model m version 1: torn");
  EXPECT_TRUE(models.step().ok()) << "nothing is due";
  EXPECT_EQ(backend_.loads, 1);
  for (int i = 0; i < 20; ++i) {
    clock_.advance(kLoadRetryInterval);
    models.step().IgnoreError();
  }
  EXPECT_EQ(backend_.loads, kMaxLoads);
  EXPECT_EQ(directory_.read()->models.at("m").versions.at(1).error.code(), absl::StatusCode::kDataLoss);
}

TEST_F(RepositoryTest, LoadsAModelThatRefusesZerosButNotOneThatLacksVariables) {
  add("1");
  backend_.run_failure = absl::InvalidArgumentError("zeros are bad input");
  auto lenient = repository();
  EXPECT_TRUE(lenient.step().ok());
  backend_.run_failure = absl::FailedPreconditionError("variable was uninitialized");
  auto strict = repository();
  EXPECT_THAT(strict.step().message(), HasSubstr("warm-up: signature serving_default: variable was uninitialized"));
}

TEST_F(RepositoryTest, CutShortRecordedRequestsAreSaid) {
  fs::create_directories(base_ / "1/assets.extra");
  std::ofstream(base_ / "1/assets.extra/tf_serving_warmup_requests") << "short";
  auto models = repository();
  EXPECT_THAT(models.step().message(), HasSubstr("is cut short after 0 requests"));
}

}  // namespace
}  // namespace tidegate::serving
