#include "kube/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "kube/types.h"

namespace tidegate::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Json config_map(const std::string& name, int version, const std::string& color = "red", const std::string& uid = "") {
  Json object;
  object["metadata"] = {{"namespace", "demo"},
                        {"name", name},
                        {"uid", uid.empty() ? "uid-" + name : uid},
                        {"resourceVersion", base::cat(version)},
                        {"labels", {{"color", color}}}};
  object["data"] = {{"version", base::cat(version)}};
  return object;
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    store_.add_index("color", [](const base::ObjectKey&, const ConfigMap& object) {
      return std::vector<std::string>{object.meta.label("color")};
    });
    store_.add_handlers({
        [this](const base::ObjectKey& key, const auto&) { events_.push_back("add " + key.name); },
        [this](const base::ObjectKey& key, const auto& before, const auto& after) {
          events_.push_back(
              base::cat("update ", key.name, " ", before->data.at("version"), "->", after->data.at("version")));
        },
        [this](const base::ObjectKey& key, const auto& last) {
          events_.push_back(base::cat("delete ", key.name, " ", last->data.at("version")));
        },
    });
  }

  void list(const std::vector<Json>& objects, const std::string& version) {
    for (const Json& object : objects) store_.keep(object);
    store_.commit(version);
  }

  std::vector<std::string> names(const std::string& color) {
    std::vector<std::string> names;
    for (const auto& object : store_.by_index("color", color)) names.push_back(object->meta.name);
    return names;
  }

  base::ManualClock clock_;
  Store<ConfigMap> store_{"configmaps", decode_config_map, clock_};
  std::vector<std::string> events_;
};

TEST_F(StoreTest, ShowsNothingOfAnIncompleteList) {
  store_.keep(config_map("a", 1));
  EXPECT_FALSE(store_.synced());
  EXPECT_EQ(store_.size(), 0u);
  store_.commit("5");
  EXPECT_TRUE(store_.synced());
  EXPECT_EQ(store_.get({"demo", "a"})->data.at("version"), "1");
  EXPECT_EQ(store_.resource_version(), 5u);
}

TEST_F(StoreTest, DeliversADeletionThatWasMissedBetweenListAndWatch) {
  list({config_map("a", 1), config_map("b", 2)}, "5");
  events_.clear();
  list({config_map("b", 2), config_map("c", 7)}, "8");
  EXPECT_THAT(events_, ElementsAre("delete a 1", "add c"));
}

TEST_F(StoreTest, TellsAnObjectThatWasMadeAgainFromOneThatChanged) {
  list({config_map("a", 1)}, "5");
  events_.clear();
  list({config_map("a", 9, "red", "another")}, "10");
  EXPECT_THAT(events_, ElementsAre("delete a 1", "add a"));
}

TEST_F(StoreTest, ReportsAnUpdateOnlyWhenTheVersionChanged) {
  store_.upsert(config_map("a", 1));
  store_.upsert(config_map("a", 1));
  store_.upsert(config_map("a", 2));
  store_.erase(config_map("a", 3));
  EXPECT_THAT(events_, ElementsAre("add a", "update a 1->2", "delete a 2"));
}

TEST_F(StoreTest, KeepsIndexesInStepWithObjects) {
  list({config_map("a", 1, "red"), config_map("b", 2, "red")}, "5");
  EXPECT_THAT(names("red"), ElementsAre("a", "b"));
  store_.upsert(config_map("a", 6, "blue"));
  EXPECT_THAT(names("red"), ElementsAre("b"));
  EXPECT_THAT(names("blue"), ElementsAre("a"));
  store_.erase(config_map("b", 7));
  EXPECT_THAT(names("red"), IsEmpty());
}

TEST_F(StoreTest, NeverChangesAnObjectThatSomebodyHolds) {
  store_.upsert(config_map("a", 1));
  const auto held = store_.get({"demo", "a"});
  store_.upsert(config_map("a", 2));
  EXPECT_EQ(held->data.at("version"), "1");
  EXPECT_EQ(store_.get({"demo", "a"})->data.at("version"), "2");
}

TEST_F(StoreTest, KnowsHowFarItHasCome) {
  list({config_map("a", 3)}, "5");
  EXPECT_TRUE(store_.has_reached({"demo", "a"}, 5));
  EXPECT_FALSE(store_.has_reached({"demo", "a"}, 6));
  store_.progress("8");
  EXPECT_TRUE(store_.has_reached({"demo", "a"}, 8));
  clock_.advance(absl::Seconds(42));
  EXPECT_EQ(store_.age(), absl::Seconds(42));
}

TEST_F(StoreTest, KeepsTheLastGoodStateOfAnObjectThatItCannotRead) {
  Store<ConfigMap> strict(
      "configmaps",
      [](const Json& object) -> absl::StatusOr<ConfigMap> {
        if (!object.contains("data")) return absl::InvalidArgumentError("no data");
        return decode_config_map(object);
      },
      clock_);
  strict.upsert(config_map("a", 1));
  Json broken = config_map("a", 2);
  broken.erase("data");
  strict.upsert(broken);
  EXPECT_EQ(strict.get({"demo", "a"})->data.at("version"), "1");
  strict.keep(broken);
  strict.commit("9");
  ASSERT_NE(strict.get({"demo", "a"}), nullptr);
  EXPECT_EQ(strict.undecodable(), 2u);
  auto batch = strict.make_batch();
  batch->add(broken);
  strict.keep(*batch);
  strict.commit("10");
  EXPECT_EQ(strict.get({"demo", "a"})->data.at("version"), "1");
  EXPECT_EQ(strict.undecodable(), 3u);
}

TEST_F(StoreTest, ShowsACompleteSetInSlicesAndSaysSoAtTheEnd) {
  list({config_map("a", 1), config_map("b", 2), config_map("e", 3)}, "5");
  events_.clear();
  for (const Json& object : {config_map("a", 1), config_map("c", 6), config_map("d", 7), config_map("e", 8)}) {
    store_.keep(object);
  }
  store_.begin_commit("9");
  EXPECT_TRUE(store_.commit_some(3));
  EXPECT_THAT(events_, ElementsAre("delete b 2", "add c")) << "a has not changed";
  EXPECT_FALSE(store_.has_reached({"demo", "d"}, 7));
  EXPECT_TRUE(store_.has_reached({"demo", "c"}, 6));
  EXPECT_EQ(store_.resource_version(), 5u);
  EXPECT_FALSE(store_.commit_some(3));
  EXPECT_THAT(events_, ElementsAre("delete b 2", "add c", "add d", "update e 3->8"));
  EXPECT_EQ(store_.resource_version(), 9u);
}

TEST_F(StoreTest, TakesForNewerWhatAWatchSaysDuringACommit) {
  list({config_map("a", 1), config_map("z", 1)}, "5");
  for (const char* name : {"a", "b", "c", "d", "z"}) store_.keep(config_map(name, 6));
  store_.begin_commit("9");
  EXPECT_TRUE(store_.commit_some(2));
  events_.clear();
  store_.upsert(config_map("a", 10));  // behind it
  store_.upsert(config_map("d", 11));  // before it
  store_.erase(config_map("c", 12));   // before it, not yet visible
  store_.erase(config_map("z", 13));   // before it, visible from earlier
  store_.erase(config_map("b", 14));   // behind it
  EXPECT_FALSE(store_.commit_some(10));
  EXPECT_THAT(events_, ElementsAre("update a 6->10", "delete z 1", "delete b 6", "add d"));
  EXPECT_EQ(store_.get({"demo", "d"})->data.at("version"), "11");
  EXPECT_EQ(store_.size(), 2u);
  EXPECT_EQ(store_.resource_version(), 14u);
}

TEST_F(StoreTest, LosesNothingWhenACommitIsGivenUp) {
  list({config_map("a", 1), config_map("b", 2), config_map("c", 3)}, "5");
  for (const char* name : {"a", "b", "c"}) store_.keep(config_map(name, 6));
  store_.begin_commit("9");
  EXPECT_TRUE(store_.commit_some(1));
  store_.discard_kept();
  EXPECT_FALSE(store_.commit_some(10));
  EXPECT_EQ(store_.size(), 3u);
  EXPECT_EQ(store_.resource_version(), 5u);
  list({config_map("b", 7)}, "12");
  EXPECT_EQ(store_.size(), 1u);
  EXPECT_EQ(store_.resource_version(), 12u);
}

TEST_F(StoreTest, TellsHandlersWhetherAnObjectMayHaveHadOtherStatesMeanwhile) {
  std::vector<bool> catching_up;
  store_.add_handlers(
      {nullptr, [&](const auto&, const auto&, const auto&) { catching_up.push_back(store_.catches_up()); }, nullptr});
  list({config_map("a", 1)}, "5");
  store_.upsert(config_map("a", 6));
  list({config_map("a", 9)}, "9");
  store_.upsert(config_map("a", 10));
  EXPECT_THAT(catching_up, ElementsAre(false, true, false));
}

TEST_F(StoreTest, TakesBatchesThatWereReadElsewhere) {
  const Json first = config_map("a", 1);
  const Json second = config_map("b", 2);
  for (const Json* object : {&first, &second}) {
    auto batch = store_.make_batch();
    batch->add(*object);
    store_.keep(*batch);
  }
  store_.commit("5");
  EXPECT_THAT(events_, ElementsAre("add a", "add b"));
}

TEST_F(StoreTest, TakesOverTheLowerVersionOfARestoredServer) {
  list({config_map("a", 900)}, "900");
  list({config_map("a", 40)}, "50");
  EXPECT_EQ(store_.resource_version(), 50u);
  EXPECT_FALSE(store_.has_reached({"demo", "a"}, 51));
}

}  // namespace
}  // namespace tidegate::kube
