#include "net/content_coding.h"

#include <gtest/gtest.h>

#include <random>

namespace tidegate::net {
namespace {

constexpr uint64_t kNoLimit = 1 << 30;

std::string noise(size_t bytes) {
  std::mt19937 random(7);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

class BothCodingsTest : public testing::TestWithParam<ContentCoding> {};
INSTANTIATE_TEST_SUITE_P(All, BothCodingsTest, testing::Values(ContentCoding::kGzip, ContentCoding::kDeflate),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_P(BothCodingsTest, GiveBackWhatWasPutIn) {
  for (const std::string& text : {std::string(), std::string("a"), std::string(1'000'000, 'x'), noise(300'000)}) {
    auto back = decompress(GetParam(), compress(GetParam(), text), text.size());
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, text);
  }
}

TEST_P(BothCodingsTest, StopAtTheLimit) {
  const std::string bomb = compress(GetParam(), std::string(50'000'000, '\0'));
  EXPECT_LT(bomb.size(), 400'000u);
  EXPECT_EQ(decompress(GetParam(), bomb, 49'999'999).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(decompress(GetParam(), bomb, 50'000'000).ok());
  EXPECT_EQ(decompress(GetParam(), compress(GetParam(), "a"), 0).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(BothCodingsTest, RefuseEveryStreamThatIsCutShort) {
  const std::string whole = compress(GetParam(), "some text that is compressed, and some text that is compressed");
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    auto cut = decompress(GetParam(), std::string_view(whole).substr(0, bytes), kNoLimit);
    EXPECT_EQ(cut.status().code(), absl::StatusCode::kInvalidArgument) << bytes;
  }
}

TEST_P(BothCodingsTest, RefuseOrGiveBackEveryStreamWithAFlippedBit) {
  const std::string text = "some text that is compressed, and some text that is compressed";
  const std::string whole = compress(GetParam(), text);
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    auto result = decompress(GetParam(), flipped, kNoLimit);
    // A few bits of gzip's header, as the time, say nothing about the text.
    if (result.ok()) {
      EXPECT_EQ(*result, text) << bit;
    }
  }
}

TEST_P(BothCodingsTest, RefuseWhatIsNoStream) {
  for (const std::string& text : {std::string("{}"), noise(1000), std::string(1000, '\0')}) {
    EXPECT_EQ(decompress(GetParam(), text, kNoLimit).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(GzipTest, MayHaveSeveralMembers) {
  const std::string two = compress(ContentCoding::kGzip, "a") + compress(ContentCoding::kGzip, "b");
  EXPECT_EQ(*decompress(ContentCoding::kGzip, two, 2), "ab");
  EXPECT_EQ(decompress(ContentCoding::kGzip, two, 1).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(decompress(ContentCoding::kGzip, two + "x", 10).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(GzipTest, MayHaveManyMembersOfNothing) {
  const std::string nothing = compress(ContentCoding::kGzip, "");
  std::string many = compress(ContentCoding::kGzip, std::string(1 << 20, 'a'));
  for (int i = 0; i < 10'000; ++i) many += nothing;  // each was as much work as all before it
  many += compress(ContentCoding::kGzip, "b");
  const auto whole = decompress(ContentCoding::kGzip, many, (1 << 20) + 1);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(*whole, std::string(1 << 20, 'a') + "b");
  EXPECT_EQ(decompress(ContentCoding::kGzip, many, 1 << 20).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(DeflateTest, HasNothingBehindItsEnd) {
  EXPECT_EQ(decompress(ContentCoding::kDeflate, compress(ContentCoding::kDeflate, "a") + "b", 10).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ContentEncodingTest, KnowsGzipAndDeflate) {
  EXPECT_EQ(*parse_content_encoding(""), ContentCoding::kIdentity);
  EXPECT_EQ(*parse_content_encoding("identity"), ContentCoding::kIdentity);
  EXPECT_EQ(*parse_content_encoding(" GZIP "), ContentCoding::kGzip);
  EXPECT_EQ(*parse_content_encoding("x-gzip"), ContentCoding::kGzip);
  EXPECT_EQ(*parse_content_encoding("deflate"), ContentCoding::kDeflate);
  EXPECT_EQ(parse_content_encoding("br").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(parse_content_encoding("gzip, gzip").status().code(), absl::StatusCode::kUnimplemented);
}

TEST(AcceptEncodingTest, PrefersGzipAndHeedsRefusals) {
  EXPECT_EQ(accepted_coding(""), ContentCoding::kIdentity);
  EXPECT_EQ(accepted_coding("gzip, deflate, br"), ContentCoding::kGzip);
  EXPECT_EQ(accepted_coding("br;q=1.0, GZip;q=0.2"), ContentCoding::kGzip);
  EXPECT_EQ(accepted_coding("deflate"), ContentCoding::kDeflate);
  EXPECT_EQ(accepted_coding("gzip;q=0, deflate"), ContentCoding::kDeflate);
  EXPECT_EQ(accepted_coding("gzip ; q=0.000"), ContentCoding::kIdentity);
  EXPECT_EQ(accepted_coding("gzip;level=9;q=0.5"), ContentCoding::kGzip);
  EXPECT_EQ(accepted_coding("*"), ContentCoding::kGzip);
  EXPECT_EQ(accepted_coding("*;q=0.1, gzip;q=0"), ContentCoding::kIdentity);
  EXPECT_EQ(accepted_coding("*;q=0"), ContentCoding::kIdentity);
  EXPECT_EQ(accepted_coding("identity"), ContentCoding::kIdentity);
  EXPECT_EQ(accepted_coding(",;,=;q"), ContentCoding::kIdentity);
}

}  // namespace
}  // namespace tidegate::net
