#include "traffic/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"

namespace tidegate::traffic {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<const ResourceGroup> group(const std::string& ns, const std::string& name) {
  auto group = std::make_shared<ResourceGroup>();
  group->owner = {ns, name};
  return group;
}

// "+" came, "-" went, "~" is another one.
std::vector<std::string> changes(const Groups& before, const Groups& after) {
  std::vector<std::string> texts;
  for (const GroupChange& change : changed_groups(before, after)) {
    const char sign = change.before == nullptr ? '+' : change.after == nullptr ? '-' : '~';
    const ResourceGroup& group = change.after == nullptr ? *change.before : *change.after;
    texts.push_back(base::cat(sign, group.owner.to_string()));
  }
  return texts;
}

TEST(ChangedGroups, AreNoneWhereBothHaveTheSame) {
  const Groups both = {group("", ""), group("demo", "cats"), group("demo", "digits")};
  EXPECT_THAT(changes(both, both), IsEmpty());
  EXPECT_THAT(changes({}, {}), IsEmpty());
}

TEST(ChangedGroups, AreThoseThatWereMadeAnewCameOrWentInTheOrderOfTheirOwners) {
  const auto cats = group("demo", "cats");
  const auto dogs = group("demo", "dogs");
  const Groups before = {group("demo", "birds"), cats, group("demo", "digits"), dogs, group("prod", "ants")};
  const Groups after = {group("", ""), cats, group("demo", "digits"), dogs, group("demo", "eels")};
  EXPECT_THAT(changes(before, after), ElementsAre("+", "-demo/birds", "~demo/digits", "+demo/eels", "-prod/ants"));
}

TEST(ChangedGroups, TakesNeighboursOfOneNameForTwo) {
  EXPECT_THAT(changes({group("a", "cats")}, {group("b", "cats")}), ElementsAre("-a/cats", "+b/cats"));
}

TEST(ChangedGroups, AreAllWhenThereWasNothing) {
  const Groups all = {group("", ""), group("demo", "cats")};
  EXPECT_THAT(changes({}, all), ElementsAre("+", "+demo/cats"));
  EXPECT_THAT(changes(all, {}), ElementsAre("-", "-demo/cats"));
}

}  // namespace
}  // namespace tidegate::traffic
