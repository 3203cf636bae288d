#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/utf8.h"
#include "serving-runtime/api/json/json_reader.h"
#include "serving-runtime/api/json/json_tensor.h"

namespace tidegate::serving {
namespace {

using model::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

double number(std::string_view text) {
  JsonReader reader(text);
  JsonNumber out;
  EXPECT_TRUE(reader.read_number(out)) << text << ": " << reader.error();
  EXPECT_TRUE(reader.at_end()) << text;
  return out.value;
}

std::string error_of(std::string_view text) {
  JsonReader reader(text);
  bool valid = reader.skip_value() && reader.at_end();
  return valid ? "" : std::string(reader.error().message());
}

TEST(JsonReader, ReadsNumbersExactlyAsTheStandardLibraryDoes) {
  for (const char* text : {"0",
                           "-0",
                           "1",
                           "0.1",
                           "-2.5e3",
                           "1e22",
                           "1e23",
                           "123456789012345678",
                           "1.7976931348623157e308",
                           "5e-324",
                           "2.2250738585072014e-308",
                           "0.000001234",
                           "9007199254740993",
                           "3.141592653589793",
                           "1e-400",
                           "0.30000000000000004",
                           "100000000000000000000000",
                           "9007199254740992",
                           "9007199254740992.1",
                           "0.9007199254740993",
                           "999999999999999999",
                           "1234567890123456789",
                           "0.000000000000000001",
                           "1234567890.12345678",
                           "4503599627370497.5"}) {
    EXPECT_EQ(number(text), std::strtod(text, nullptr)) << text;
  }
}

TEST(JsonReader, StepsOverExactlyTheNumbersThatItReads) {
  const std::string long_digits(310, '9');
  for (const std::string& text : std::vector<std::string>{"0",
                                                          "-0",
                                                          "12",
                                                          "1.5",
                                                          "-1.5e3",
                                                          "1E-07",
                                                          "1e99",
                                                          "1e+99",
                                                          "1e308",
                                                          "1e309",
                                                          "-1e309",
                                                          "1e0000000001",
                                                          "01",
                                                          "-",
                                                          "-.5",
                                                          ".5",
                                                          "1.",
                                                          "1.e5",
                                                          "1e",
                                                          "1e+",
                                                          "1.5.5",
                                                          "1-1",
                                                          "1e5e5",
                                                          "+1",
                                                          "0x1",
                                                          long_digits,
                                                          "0." + long_digits,
                                                          long_digits + "e-99",
                                                          long_digits.substr(0, 200) + "e99",
                                                          long_digits.substr(0, 201) + "e99"}) {
    JsonReader reading(text), stepping(text);
    JsonNumber ignored;
    const bool read = reading.read_number(ignored) && reading.at_end();
    EXPECT_EQ(stepping.skip_value() && stepping.at_end(), read) << text;
    EXPECT_EQ(stepping.error(), reading.error()) << text;
    EXPECT_EQ(stepping.position(), reading.position()) << text;
  }
}

TEST(JsonReader, TakesBareNanAndInfinities) {
  EXPECT_TRUE(std::isnan(number("NaN")));
  EXPECT_EQ(number("Infinity"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(number("-Inf"), -std::numeric_limits<double>::infinity());
}

TEST(JsonReader, KnowsWhichNumbersAreIntegersOfAType) {
  auto parsed = [](std::string_view text) {
    JsonReader reader(text);
    JsonNumber out;
    reader.read_number(out);
    return out;
  };
  EXPECT_TRUE(parsed("-128").fits<int8_t>());
  EXPECT_FALSE(parsed("-129").fits<int8_t>());
  EXPECT_FALSE(parsed("128").fits<int8_t>());
  EXPECT_TRUE(parsed("18446744073709551615").fits<uint64_t>());
  EXPECT_FALSE(parsed("18446744073709551616").fits<uint64_t>());
  EXPECT_TRUE(parsed("-9223372036854775808").fits<int64_t>());
  EXPECT_FALSE(parsed("-1").fits<uint32_t>());
  EXPECT_FALSE(parsed("1.0").fits<int32_t>());
}

TEST(JsonReader, DecodesEscapesAndSurrogatePairs) {
  JsonReader reader(R"("a\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00")");
  std::string out;
  ASSERT_TRUE(reader.read_string(out));
  EXPECT_EQ(out, "a\"\\/\b\f\n\r\tä😀");
}

TEST(JsonReader, RefusesMalformedTextWithTensorflowServingsWordsAndOffsets) {
  EXPECT_EQ(error_of("[1,2"), "JSON Parse error: Missing a comma or ] after an array element. at offset: 4");
  EXPECT_EQ(error_of(R"({"a":1)"), "JSON Parse error: Missing a comma or } after an object member. at offset: 6");
  EXPECT_EQ(error_of("{1:2}"), "JSON Parse error: Missing a name for object member. at offset: 1");
  EXPECT_EQ(error_of(R"({"a" 1})"), "JSON Parse error: Missing a colon after a name of object member. at offset: 5");
  EXPECT_THAT(error_of("[1 2]"), HasSubstr("Missing a comma or ]"));
  EXPECT_THAT(error_of("1 2"), HasSubstr("must not be followed by other values"));
  EXPECT_THAT(error_of("tru"), HasSubstr("Invalid value."));
  EXPECT_THAT(error_of("[1,]"), HasSubstr("Invalid value."));
  EXPECT_THAT(error_of("01"), HasSubstr("must not be followed"));
  EXPECT_THAT(error_of("1."), HasSubstr("Miss fraction part in number."));
  EXPECT_THAT(error_of("1e"), HasSubstr("Miss exponent in number."));
  EXPECT_THAT(error_of("1e999"), HasSubstr("Number too big to be stored in double."));
  EXPECT_THAT(error_of("\"a"), HasSubstr("Missing a closing quotation mark"));
  EXPECT_THAT(error_of(R"("\x")"), HasSubstr("Invalid escape character"));
  EXPECT_THAT(error_of(R"("\u12g4")"), HasSubstr("Incorrect hex digit"));
  EXPECT_THAT(error_of(R"("\ud800")"), HasSubstr("surrogate pair"));
  EXPECT_THAT(error_of("\"a\nb\""), HasSubstr("Invalid encoding"));
}

TEST(JsonReader, SurvivesAMillionOpenBrackets) {
  EXPECT_THAT(error_of(std::string(1'000'000, '[')), HasSubstr("Invalid value."));
  EXPECT_EQ(error_of(std::string(100'000, '[') + std::string(100'000, ']')), "");
}

absl::StatusOr<Tensor> dense(std::string_view text, DataType type) {
  JsonReader reader(text);
  TensorBuilder builder(type);
  Shape shape;
  if (absl::Status read = read_dense(reader, builder, shape); !read.ok()) return read;
  EXPECT_TRUE(reader.at_end()) << text;
  return builder.finish(shape);
}

TEST(QuoteValue, CutsBetweenCharacters) {
  std::string text = "\"" + std::string(510, 'x') + "\xe2\x82\xac and more\"";
  EXPECT_EQ(quote_value(JsonReader(text)), "\"" + std::string(510, 'x') + "…");
}

TEST(ToUtf8, MarksEachByteThatBelongsToNoCharacter) {
  EXPECT_EQ(base::to_utf8("a\xe2\x82\xac"), "a\xe2\x82\xac");
  EXPECT_EQ(base::to_utf8("\xff"
                          "a\xc3"),
            "\xef\xbf\xbd"
            "a\xef\xbf\xbd");
  EXPECT_EQ(base::to_utf8("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(ReadDense, TakesTheShapeFromTheNesting) {
  EXPECT_THAT(dense("7", DataType::kFloat)->shape(), ElementsAre());
  EXPECT_THAT(dense("[1,2,3]", DataType::kFloat)->shape(), ElementsAre(3));
  auto matrix = dense("[[1,2,3],[4,5,6]]", DataType::kInt32);
  EXPECT_THAT(matrix->shape(), ElementsAre(2, 3));
  EXPECT_THAT(matrix->values<int32_t>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(dense("[]", DataType::kFloat)->shape(), ElementsAre(0));
  EXPECT_THAT(dense("[[],[]]", DataType::kFloat)->shape(), ElementsAre(2, 0));
  EXPECT_THAT(dense("[[[1],[2]]]", DataType::kFloat)->shape(), ElementsAre(1, 2, 1));
}

TEST(ReadDense, RefusesRaggedListsInTensorflowServingsWords) {
  auto message = [](std::string_view text) { return std::string(dense(text, DataType::kFloat).status().message()); };
  EXPECT_EQ(message("[[1,2],[3]]"), "Encountered list at unexpected size: 1 at level: 1 expected size: 2");
  EXPECT_EQ(message("[1,[2]]"), "Encountered list at unexpected level: 1 expected < 1");
  EXPECT_EQ(message("[[1],2]"), "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2");
  EXPECT_THAT(message(std::string(300, '[') + "1" + std::string(300, ']')), HasSubstr("at most 254 dimensions"));
}

TEST(ReadDense, RefusesValuesThatTheTypeCannotHold) {
  auto message = [](std::string_view text, DataType type) { return std::string(dense(text, type).status().message()); };
  EXPECT_EQ(message(R"(["x"])", DataType::kFloat), "JSON Value: \"x\" Type: String is not of expected type: float");
  EXPECT_EQ(message("[null]", DataType::kInt32), "JSON Value: null Type: Null is not of expected type: int32");
  EXPECT_EQ(message("[1.5]", DataType::kInt64), "JSON Value: 1.5 Type: Number is not of expected type: int64");
  EXPECT_EQ(message("[300]", DataType::kUint8), "JSON Value: 300 Type: Number is not of expected type: uint8");
  EXPECT_EQ(message("[1]", DataType::kBool), "JSON Value: 1 Type: Number is not of expected type: bool");
  EXPECT_EQ(message("[1]", DataType::kString), "JSON Value: 1 Type: Number is not of expected type: string");
  EXPECT_EQ(message("[16777217]", DataType::kFloat),
            "Cannot convert JSON value: 16777217 to float without loss of precision.");
  EXPECT_EQ(message("[1e39]", DataType::kFloat), "Cannot convert JSON value: 1e39 to float without loss of precision.");
  EXPECT_EQ(message("[65520]", DataType::kHalf), "Cannot convert JSON value: 65520 to half without loss of precision.");
  EXPECT_EQ(message("[3.4e38]", DataType::kBfloat16),
            "Cannot convert JSON value: 3.4e38 to bfloat16 without loss of precision.");
  EXPECT_EQ(message("[65519,-65504,Infinity]", DataType::kHalf), "");
  EXPECT_EQ(message(R"([{"b64":"YQ==","x":1}])", DataType::kString),
            "JSON Value: {\"b64\":\"YQ==\",\"x\":1} not formatted correctly for base64 data");
  EXPECT_EQ(message(R"([{"b64":"!"}])", DataType::kString), "Unable to base64 decode");
  EXPECT_EQ(dense("[1]", DataType::kComplex64).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(ReadDense, ReadsTextAndBase64) {
  auto strings = dense(R"(["a", {"b64": "AP8="}, ""])", DataType::kString);
  ASSERT_EQ(strings->strings().size(), 3u);
  EXPECT_EQ(std::string_view(strings->strings()[1].data, 2), std::string_view("\0\xff", 2));
  EXPECT_EQ(strings->strings()[2].size, 0u);
}

std::string print(float value) {
  std::string out;
  append_decimal(out, value);
  return out;
}

TEST(AppendDecimal, PrintsAsTensorflowServingDoes) {
  EXPECT_EQ(print(3), "3.0");
  EXPECT_EQ(print(0.2f), "0.2");
  EXPECT_EQ(print(-0.0f), "-0.0");
  EXPECT_EQ(print(9e6f), "9e+06");
  EXPECT_EQ(print(3e-5f), "3e-05");
  EXPECT_EQ(print(100000), "100000.0");
  EXPECT_EQ(print(3.14159274f), "3.14159274");
  EXPECT_EQ(print(16777216), "16777216.0");
  EXPECT_EQ(print(std::numeric_limits<float>::quiet_NaN()), "NaN");
  EXPECT_EQ(print(-std::numeric_limits<float>::infinity()), "-Infinity");
  std::string out;
  append_decimal(out, 0.1);
  append_decimal(out, 1.0 / 3);
  EXPECT_EQ(out, "0.10.33333333333333331");
}

TEST(AppendDecimal, RoundTripsEveryKindOfFloat) {
  for (uint32_t bits = 0; bits < 0x7f800000u; bits += 104729) {
    auto value = std::bit_cast<float>(bits);
    EXPECT_EQ(std::strtof(print(value).c_str(), nullptr), value) << print(value);
  }
}

TEST(AppendJsonString, EscapesWhatJsonForbids) {
  std::string out;
  append_json_string(out, std::string_view("a\"\\\n\x01\0ä", 8));
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\u0001\\u0000ä\"");
}

}  // namespace
}  // namespace tidegate::serving
