#include "base/recent_map.h"

#include <gtest/gtest.h>

#include "base/strings.h"

namespace tidegate::base {
namespace {

TEST(RecentMap, ForgetsWhatWasUsedTheLongestAgo) {
  RecentMap<int> map(3);
  map.put("a", 1);
  map.put("b", 2);
  map.put("c", 3);
  EXPECT_NE(map.use("a"), nullptr);
  map.put("d", 4);
  EXPECT_EQ(map.size(), 3u);
  EXPECT_EQ(map.use("b"), nullptr);
  ASSERT_NE(map.use("a"), nullptr);
  EXPECT_EQ(*map.use("a"), 1);
}

TEST(RecentMap, HoldsAKeyOnceAndForgetsItWhenTold) {
  RecentMap<int> map(2);
  map.put("a", 1);
  map.put("b", 2);
  map.put("a", 3);
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(*map.use("a"), 3);
  EXPECT_EQ(*map.use("b"), 2);
  map.erase("a");
  map.erase("a");
  EXPECT_EQ(map.use("a"), nullptr);
  EXPECT_EQ(map.size(), 1u);
}

TEST(RecentMap, StaysBoundedWhateverComes) {
  RecentMap<std::string> map(16);
  for (int i = 0; i < 1000; ++i) {
    map.put(cat("key-", i % 37), cat(i));
    ASSERT_LE(map.size(), 16u);
    ASSERT_EQ(*map.use(cat("key-", i % 37)), cat(i));
  }
}

}  // namespace
}  // namespace tidegate::base
