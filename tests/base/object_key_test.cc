#include "base/object_key.h"

#include <absl/container/flat_hash_set.h>
#include <gtest/gtest.h>

namespace tidegate::base {
namespace {

TEST(ObjectKey, IsWrittenWithItsNamespaceIfItHasOne) {
  EXPECT_EQ((ObjectKey{"demo", "digits"}).to_string(), "demo/digits");
  EXPECT_EQ((ObjectKey{"", "node-1"}).to_string(), "node-1");
  EXPECT_EQ(ObjectKey{}.to_string(), "");
}

TEST(ObjectKey, SortsByNamespaceThenNameAndTheEmptyOneFirst) {
  EXPECT_LT(ObjectKey{}, (ObjectKey{"", "a"}));
  EXPECT_LT((ObjectKey{"", "z"}), (ObjectKey{"a", "a"}));
  EXPECT_LT((ObjectKey{"a", "z"}), (ObjectKey{"b", "a"}));
}

TEST(ObjectKey, TellsApartWhatReadsAlikeWhenHashed) {
  const absl::flat_hash_set<ObjectKey> keys = {{"a", "b"}, {"ab", ""}, {"", "ab"}, {"a", "b"}};
  EXPECT_EQ(keys.size(), 3u);
}

}  // namespace
}  // namespace tidegate::base
