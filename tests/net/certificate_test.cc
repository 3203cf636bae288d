#include "net/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromCivil(absl::CivilSecond(2026, 3, 1, 12, 0, 0), absl::UTCTimeZone());

KeyPair authority() { return make_authority({.common_name = "tidegate test", .now = kNow}).value(); }

LeafRequest gateway_request() {
  return {.common_name = "tidegate-gateway",
          .dns_names = {"tidegate-gateway", "*.tidegate-gateway.tidegate-system.svc"},
          .uris = {"spiffe://tidegate/gateway"},
          .ip_addresses = {"127.0.0.1", "fd00::1"},
          .now = kNow,
          .lifetime = absl::Hours(24 * 30)};
}

TEST(Certificate, AuthorityMaySignOthers) {
  auto info = parse_certificate(authority().certificate_pem);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_TRUE(info->is_authority);
  EXPECT_EQ(info->common_name, "tidegate test");
  EXPECT_EQ(info->not_after, kNow + absl::Hours(24 * 365 * 10));
}

TEST(Certificate, IssuedOneCarriesAllItsNamesAndTimes) {
  auto pair = issue(authority(), gateway_request());
  ASSERT_TRUE(pair.ok()) << pair.status();
  auto info = parse_certificate(pair->certificate_pem);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_FALSE(info->is_authority);
  EXPECT_EQ(info->common_name, "tidegate-gateway");
  EXPECT_THAT(info->dns_names, ElementsAre("tidegate-gateway", "*.tidegate-gateway.tidegate-system.svc"));
  EXPECT_THAT(info->uris, ElementsAre("spiffe://tidegate/gateway"));
  EXPECT_THAT(info->ip_addresses, ElementsAre("127.0.0.1", "fd00::1"));
  EXPECT_EQ(info->not_before, kNow - absl::Minutes(1));
  EXPECT_EQ(info->not_after, kNow + absl::Hours(24 * 30));
}

TEST(Certificate, IssuedOneIsTrustedThroughItsAuthorityOnly) {
  const KeyPair ours = authority();
  const KeyPair theirs = authority();
  const KeyPair pair = issue(ours, gateway_request()).value();
  EXPECT_TRUE(check_identity({pair.certificate_pem, pair.private_key_pem, ours.certificate_pem}).ok());
  EXPECT_TRUE(
      check_identity({pair.certificate_pem, pair.private_key_pem, theirs.certificate_pem + ours.certificate_pem}).ok());
  EXPECT_THAT(check_identity({pair.certificate_pem, pair.private_key_pem, theirs.certificate_pem}).ToString(),
              HasSubstr("none of the given authorities"));
}

TEST(Certificate, NeverOutlivesItsAuthority) {
  const KeyPair brief = make_authority({.now = kNow, .lifetime = absl::Hours(1)}).value();
  const KeyPair pair = issue(brief, gateway_request()).value();
  EXPECT_EQ(parse_certificate(pair.certificate_pem)->not_after, kNow + absl::Hours(1));
}

TEST(Certificate, AnExpiredAuthorityIssuesNothing) {
  const KeyPair brief = make_authority({.now = kNow, .lifetime = absl::Hours(1)}).value();
  LeafRequest late = gateway_request();
  late.now = kNow + absl::Hours(2);
  EXPECT_THAT(issue(brief, late).status().ToString(), HasSubstr("has expired"));
}

TEST(Certificate, ALeafCannotSign) {
  const KeyPair leaf = issue(authority(), gateway_request()).value();
  EXPECT_THAT(issue(leaf, gateway_request()).status().ToString(), HasSubstr("not that of an authority"));
}

TEST(Certificate, WithoutAnyNameIsRefused) {
  EXPECT_EQ(issue(authority(), {.common_name = "x", .now = kNow}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Certificate, BadAddressIsAnErrorAndNoCrash) {
  LeafRequest request = gateway_request();
  request.ip_addresses = {"not an address"};
  EXPECT_FALSE(issue(authority(), request).ok());
}

TEST(Certificate, KeyOfAnotherPairIsRecognised) {
  const KeyPair ours = authority();
  const KeyPair a = issue(ours, gateway_request()).value();
  const KeyPair b = issue(ours, gateway_request()).value();
  EXPECT_THAT(check_identity({a.certificate_pem, b.private_key_pem, ours.certificate_pem}).ToString(),
              HasSubstr("does not belong"));
  EXPECT_THAT(issue({a.certificate_pem, b.private_key_pem}, gateway_request()).status().ToString(),
              HasSubstr("does not belong"));
}

TEST(Certificate, GarbageIsAnErrorThatSaysWhichPart) {
  EXPECT_THAT(parse_certificate("hello").status().ToString(), HasSubstr("not a PEM certificate"));
  EXPECT_THAT(issue({authority().certificate_pem, "hello"}, gateway_request()).status().ToString(),
              HasSubstr("the authority's key"));
  EXPECT_THAT(parse_certificate("").status().ToString(), HasSubstr("not a PEM certificate"));
}

TEST(Certificate, IsRenewedAfterTwoThirdsOfItsLife) {
  const CertificateInfo info{.not_before = kNow, .not_after = kNow + absl::Hours(90)};
  EXPECT_EQ(renewal_time(info), kNow + absl::Hours(60));
  EXPECT_FALSE(needs_renewal(info, kNow + absl::Hours(60) - absl::Seconds(1)));
  EXPECT_TRUE(needs_renewal(info, kNow + absl::Hours(60)));
  EXPECT_TRUE(needs_renewal(info, kNow + absl::Hours(1000)));
}

}  // namespace
}  // namespace tidegate::net
