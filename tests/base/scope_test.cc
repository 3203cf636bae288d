#include "base/scope.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidegate::base {
namespace {

TEST(Scope, RunsEveryFunctionOnceInOrderWhenCancelled) {
  Scope scope;
  std::vector<int> ran;
  auto first = scope.on_cancel([&] { ran.push_back(1); });
  auto second = scope.on_cancel([&] { ran.push_back(2); });
  scope.cancel();
  scope.cancel();
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
}

TEST(Scope, ForgetsAFunctionWhoseRegistrationIsGone) {
  Scope scope;
  bool ran = false;
  {
    auto registration = scope.on_cancel([&] { ran = true; });
  }
  scope.cancel();
  EXPECT_FALSE(ran);
}

TEST(Scope, CancelsChildrenButNotParents) {
  Scope parent;
  Scope left(parent);
  Scope right(parent);
  left.cancel();
  EXPECT_FALSE(parent.cancelled());
  EXPECT_FALSE(right.cancelled());
  parent.cancel();
  EXPECT_TRUE(right.cancelled());
}

TEST(Scope, RunsAFunctionAtOnceWhenAlreadyCancelled) {
  Scope scope;
  scope.cancel();
  bool ran = false;
  auto registration = scope.on_cancel([&] { ran = true; });
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace tidegate::base
