#include "serving-runtime/core/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace tidegate::serving {
namespace {

const std::string kTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContextTest, TakesWhatTheStandardDescribes) {
  EXPECT_EQ(valid_traceparent(kTrace), kTrace);
  EXPECT_EQ(valid_traceparent("cc" + kTrace.substr(2)), "cc" + kTrace.substr(2));
  EXPECT_EQ(valid_traceparent("cc" + kTrace.substr(2) + "-what-the-future-brings"),
            "cc" + kTrace.substr(2) + "-what-the-future-brings");
}

TEST(TraceContextTest, TreatsABrokenHeaderAsNone) {
  const auto with = [](size_t at, std::string_view part) { return std::string(kTrace).replace(at, part.size(), part); };
  EXPECT_EQ(valid_traceparent(""), "");
  EXPECT_EQ(valid_traceparent("00-"), "");
  EXPECT_EQ(valid_traceparent(kTrace.substr(0, kTrace.size() - 1)), "");
  EXPECT_EQ(valid_traceparent(kTrace + "-more"), "");  // not in version 00
  EXPECT_EQ(valid_traceparent("cc" + kTrace.substr(2) + ".more"), "");
  EXPECT_EQ(valid_traceparent("cc" + kTrace.substr(2) + "-more\r\nanother: header"), "");
  EXPECT_EQ(valid_traceparent("cc" + kTrace.substr(2) + "-mor\xe9"), "");
  EXPECT_EQ(valid_traceparent(with(0, "ff")), "");
  EXPECT_EQ(valid_traceparent(with(2, "_")), "");
  EXPECT_EQ(valid_traceparent(with(3, "4BF9")), "");
  EXPECT_EQ(valid_traceparent(with(3, "xyz0")), "");
  EXPECT_EQ(valid_traceparent(with(53, "\xff\xff")), "");
  EXPECT_EQ(valid_traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), "");
  EXPECT_EQ(valid_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"), "");
}

}  // namespace
}  // namespace tidegate::serving
