#include "traffic/shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace tidegate::traffic {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Shares, AreTheWeightsWhenEveryoneServes) {
  EXPECT_THAT(effective_shares({{95, true}, {5, true}}), ElementsAre(9500, 500));
  EXPECT_THAT(effective_shares({{100, true}}), ElementsAre(10000));
}

TEST(Shares, OfARevisionWithoutEndpointsGoToTheOthers) {
  EXPECT_THAT(effective_shares({{95, true}, {5, false}}), ElementsAre(10000, 0));
  EXPECT_THAT(effective_shares({{95, false}, {5, true}}), ElementsAre(0, 10000));
  EXPECT_THAT(effective_shares({{60, true}, {20, true}, {20, false}}), ElementsAre(7500, 2500, 0));
}

TEST(Shares, NeverReachARevisionThatHasNoWeight) {
  EXPECT_THAT(effective_shares({{100, false}, {0, true}}), ElementsAre(10000, 0));
}

TEST(Shares, StayWhenNobodyServes) { EXPECT_THAT(effective_shares({{95, false}, {5, false}}), ElementsAre(9500, 500)); }

TEST(Shares, OfNobodyAreNone) {
  EXPECT_THAT(effective_shares({}), IsEmpty());
  EXPECT_THAT(effective_shares({{0, true}, {0, true}}), IsEmpty());
}

TEST(Shares, AlwaysSumToTheConstantTotal) {
  for (int a = 0; a <= 100; ++a) {
    for (int b = 0; a + b <= 100; ++b) {
      for (int serving = 0; serving < 8; ++serving) {
        const std::vector<uint32_t> shares =
            effective_shares({{a, (serving & 1) != 0}, {b, (serving & 2) != 0}, {100 - a - b, (serving & 4) != 0}});
        ASSERT_EQ(std::accumulate(shares.begin(), shares.end(), 0u), kTotalShare) << a << " " << b << " " << serving;
      }
    }
  }
}

TEST(Shares, RoundDeterministically) {
  EXPECT_THAT(effective_shares({{10, true}, {10, true}, {10, true}, {70, false}}), ElementsAre(3334, 3333, 3333, 0));
}

}  // namespace
}  // namespace tidegate::traffic
