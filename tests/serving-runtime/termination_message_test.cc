#include "serving-runtime/server/termination_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::serving {
namespace {

TEST(TerminationMessage, IsOneJsonObjectBelowFourKilobytes) {
  EXPECT_EQ(termination_message("ModelLoadFailed", "it \"broke\""),
            R"({"error":"ModelLoadFailed","message":"it \"broke\""})");
  EXPECT_LT(termination_message("ModelLoadFailed", std::string(100'000, '"')).size(), 4096u);
  EXPECT_THAT(termination_message("ModelLoadFailed", "\xff"), testing::StartsWith("{\"error\""));
}

}  // namespace
}  // namespace tidegate::serving
