#include "base/digest.h"

#include <gtest/gtest.h>

namespace tidegate::base {
namespace {

// FIPS 180-2, appendix B.1.
TEST(Sha256, MatchesThePublishedExample) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, IsTheSameInPieces) {
  Sha256 digest;
  digest.update("a", 1);
  digest.update("bc", 2);
  EXPECT_EQ(to_hex(digest.finish()), sha256_hex("abc"));
}

}  // namespace
}  // namespace tidegate::base
