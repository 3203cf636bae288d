#include "storage/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"

namespace tidegate::storage {
namespace {

using ::testing::HasSubstr;

// The worked examples of "Signature Calculations for the Authorization Header" in AWS's S3 documentation.
const SigningKey kKey{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", "us-east-1"};
const absl::Time kTime = absl::FromCivil(absl::CivilSecond(2013, 5, 24, 0, 0, 0), absl::UTCTimeZone());

SignableRequest example(std::string method, std::string path) {
  SignableRequest request;
  request.method = std::move(method);
  request.host = "examplebucket.s3.amazonaws.com";
  request.path = std::move(path);
  request.payload_sha256 = base::sha256_hex("");
  return request;
}

std::string authorization(const SignableRequest& request) {
  return sign(request, kKey, kTime).headers["authorization"];
}

TEST(SigV4, MatchesAwsExampleOfARangedGet) {
  SignableRequest request = example("GET", "/test.txt");
  request.headers["range"] = "bytes=0-9";
  EXPECT_EQ(authorization(request),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, MatchesAwsExampleOfAPut) {
  SignableRequest request = example("PUT", "/test$file.text");
  request.headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  request.payload_sha256 = base::sha256_hex("Welcome to Amazon S3.");
  EXPECT_THAT(authorization(request), HasSubstr("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
  EXPECT_EQ(sign(request, kKey, kTime).target, "/test%24file.text");
}

TEST(SigV4, MatchesAwsExampleOfAQueryWithoutAValue) {
  SignableRequest request = example("GET", "/");
  request.query = {{"lifecycle", ""}};
  EXPECT_THAT(authorization(request), HasSubstr("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(SigV4, MatchesAwsExampleOfAListingWhateverTheOrderOfItsQuery) {
  SignableRequest request = example("GET", "/");
  request.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_THAT(authorization(request), HasSubstr("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
  EXPECT_EQ(sign(request, kKey, kTime).target, "/?max-keys=2&prefix=J");
}

TEST(SigV4, SignsTheSessionToken) {
  SigningKey key = kKey;
  key.session_token = "token";
  SignedRequest signed_request = sign(example("GET", "/"), key, kTime);
  EXPECT_EQ(signed_request.headers["x-amz-security-token"], "token");
  EXPECT_THAT(signed_request.headers["authorization"], HasSubstr("x-amz-date;x-amz-security-token,"));
}

TEST(SigV4, LeavesAnAnonymousRequestUnsigned) {
  SignableRequest request = example("GET", "/a b");
  request.headers["range"] = "bytes=0-9";
  const SignedRequest plain = without_signature(request);
  EXPECT_EQ(plain.target, "/a%20b");
  EXPECT_THAT(plain.headers, testing::ElementsAre(testing::Pair("range", "bytes=0-9")));
}

TEST(UriEncode, KeepsUnreservedCharactersOnly) {
  EXPECT_EQ(uri_encode("AZaz09-_.~", false), "AZaz09-_.~");
  EXPECT_EQ(uri_encode("a/b c+d%é*", false), "a%2Fb%20c%2Bd%25%C3%A9%2A");
  EXPECT_EQ(uri_encode("a/b", true), "a/b");
}

}  // namespace
}  // namespace tidegate::storage
