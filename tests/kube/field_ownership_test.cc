#include "kube/field_ownership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Json json(const char* text) { return Json::parse(text); }
FieldOwner applier(const std::string& name) { return {name, true, "", {}}; }
FieldOwner writer(const std::string& name) { return {name, false, "", {}}; }

class FieldOwnershipTest : public ::testing::Test {
 protected:
  // Applies without conflict.
  void apply(const std::string& manager, const char* config, bool force = false) {
    auto applied = apply_fields(schema_, live_, owners_, json(config), applier(manager), force);
    ASSERT_TRUE(applied.ok()) << applied.status();
    ASSERT_THAT(applied->conflicts, IsEmpty());
    live_ = applied->object;
    owners_ = applied->owners;
  }
  std::vector<std::string> conflicts(const std::string& manager, const char* config) {
    auto applied = apply_fields(schema_, live_, owners_, json(config), applier(manager), false);
    std::vector<std::string> found;
    for (const FieldConflict& conflict : applied->conflicts) found.push_back(conflict.manager + conflict.field);
    return found;
  }
  void write(const std::string& manager, const char* after) {
    owners_ = owners_after_write(schema_, live_, json(after), owners_, writer(manager));
    live_ = json(after);
  }

  MergeSchema schema_ = MergeSchema::built_in();
  Json live_ = Json::object();
  FieldOwners owners_;
};

TEST_F(FieldOwnershipTest, WhatIsNoLongerAppliedGoes) {
  apply("a", R"({"data": {"x": "1", "y": "1"}})");
  apply("a", R"({"data": {"y": "1"}})");
  EXPECT_EQ(live_, json(R"({"data": {"y": "1"}})"));
  apply("a", R"({})");
  EXPECT_EQ(live_, json("{}"));
}

TEST_F(FieldOwnershipTest, WhatAnotherOwnsToStays) {
  apply("a", R"({"data": {"x": "1"}})");
  apply("b", R"({"data": {"x": "1"}})");
  apply("a", R"({})");
  EXPECT_EQ(live_, json(R"({"data": {"x": "1"}})"));
}

TEST_F(FieldOwnershipTest, AnotherValueIsAConflictUntilItIsForced) {
  apply("a", R"({"data": {"x": "1"}})");
  EXPECT_THAT(conflicts("b", R"({"data": {"x": "2", "y": "2"}})"), ElementsAre("a.data.x"));
  apply("b", R"({"data": {"x": "2"}})", true);
  apply("a", R"({})");
  EXPECT_EQ(live_, json(R"({"data": {"x": "2"}})")) << "a has lost it";
}

TEST_F(FieldOwnershipTest, AWriterTakesWhatItChanges) {
  apply("a", R"({"data": {"x": "1", "y": "1"}})");
  write("w", R"({"data": {"x": "2", "y": "1"}})");
  EXPECT_THAT(conflicts("a", R"({"data": {"x": "1", "y": "1"}})"), ElementsAre("w.data.x"));
  apply("a", R"({"data": {"y": "1"}})");
  EXPECT_EQ(live_, json(R"({"data": {"x": "2", "y": "1"}})"));
}

TEST_F(FieldOwnershipTest, WhatAWriterOwnsToStaysWhenAnApplierLeavesItOut) {
  write("w", R"({"data": {"x": "1"}})");
  apply("a", R"({"data": {"x": "1", "y": "1"}})");
  apply("a", R"({})");
  EXPECT_EQ(live_, json(R"({"data": {"x": "1"}})"));
}

TEST_F(FieldOwnershipTest, ListsAreMergedByTheirKeysAndKeepTheirOrder) {
  apply("a", R"({"spec": {"containers": [{"name": "x", "image": "1"}, {"name": "y", "image": "1"}]}})");
  apply("b", R"({"spec": {"containers": [{"name": "z", "image": "1"}, {"name": "y", "tty": true}]}})");
  EXPECT_EQ(live_["spec"]["containers"], json(R"([{"name": "x", "image": "1"}, {"name": "z", "image": "1"},
                                                  {"name": "y", "image": "1", "tty": true}])"));
  apply("a", R"({"spec": {"containers": [{"name": "x", "image": "1"}]}})");
  EXPECT_EQ(live_["spec"]["containers"], json(R"([{"name": "x", "image": "1"}, {"name": "z", "image": "1"},
                                                  {"name": "y", "tty": true}])"));
}

TEST_F(FieldOwnershipTest, ListsWithoutKeysAreOneValue) {
  apply("a", R"({"spec": {"containers": [{"name": "x", "args": ["1", "2"]}]}})");
  EXPECT_THAT(conflicts("b", R"({"spec": {"containers": [{"name": "x", "args": ["1"]}]}})"),
              ElementsAre(R"(a.spec.containers[{"name":"x"}].args)"));
}

TEST_F(FieldOwnershipTest, WhatIsNotModelledIsRefused) {
  for (const char* config : {R"({"data": {"x": null}})", R"({"spec": {"containers": [{"image": "1"}]}})",
                             R"({"spec": {"containers": [{"name": "x"}, {"name": "x"}]}})"}) {
    EXPECT_TRUE(
        absl::IsUnimplemented(apply_fields(schema_, live_, owners_, json(config), applier("a"), true).status()));
  }
}

}  // namespace
}  // namespace tidegate::kube
