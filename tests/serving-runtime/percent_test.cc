#include "serving-runtime/api/percent.h"

#include <gtest/gtest.h>

namespace tidegate::serving {
namespace {

TEST(PercentTest, EncodesWhatIsNotPlainAndDecodesIt) {
  const std::string text = "Az09-._~ /%\xc3\xbc:";
  EXPECT_EQ(percent_encode(text), "Az09-._~%20%2F%25%C3%BC%3A");
  EXPECT_EQ(percent_decode(percent_encode(text)), text);
}

TEST(PercentTest, RefusesEscapesThatAreNone) {
  for (const char* text : {"%", "%4", "%4g", "a%00"}) EXPECT_EQ(percent_decode(text), std::nullopt) << text;
}

}  // namespace
}  // namespace tidegate::serving
