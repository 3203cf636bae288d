#include "kube/expectations.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "kube/types.h"

namespace tidegate::kube {
namespace {

const base::ObjectKey kKey{"demo", "digits"};
const base::ObjectKey kObject{"demo", "web"};

Json config_map(int version, const std::string& uid = "u1", bool leaving = false) {
  Json object;
  object["metadata"] = {{"namespace", "demo"}, {"name", "web"}, {"uid", uid}, {"resourceVersion", base::cat(version)}};
  if (leaving) object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  return object;
}

class ExpectationsTest : public ::testing::Test {
 protected:
  base::ManualClock clock_;
  Store<ConfigMap> store_{"configmaps", decode_config_map, clock_};
  Expectations expectations_{clock_, absl::Minutes(5)};
};

TEST_F(ExpectationsTest, HoldsAKeyBackUntilItsWriteShows) {
  store_.upsert(config_map(10));
  expectations_.wrote(kKey, store_, kObject, "12");
  EXPECT_FALSE(expectations_.ready(kKey));
  EXPECT_TRUE(expectations_.ready({"demo", "another"}));
  store_.upsert(config_map(11));
  EXPECT_FALSE(expectations_.ready(kKey));
  store_.upsert(config_map(12));
  EXPECT_TRUE(expectations_.ready(kKey));
  EXPECT_EQ(expectations_.pending(), 0u);
}

TEST_F(ExpectationsTest, TakesALaterStateOrABookmarkForTheWrite) {
  expectations_.wrote(kKey, store_, kObject, "12");
  store_.progress("13");
  EXPECT_TRUE(expectations_.ready(kKey));
}

TEST_F(ExpectationsTest, WaitsForEveryWriteOfAKey) {
  Store<ConfigMap> other("secrets", decode_config_map, clock_);
  expectations_.wrote(kKey, store_, kObject, "12");
  expectations_.wrote(kKey, other, kObject, "13");
  store_.progress("20");
  EXPECT_FALSE(expectations_.ready(kKey));
  other.progress("20");
  EXPECT_TRUE(expectations_.ready(kKey));
}

TEST_F(ExpectationsTest, WaitsForADeletionOfThatVeryObject) {
  store_.upsert(config_map(10));
  expectations_.deleted(kKey, store_, kObject, "u1");
  EXPECT_FALSE(expectations_.ready(kKey));
  store_.upsert(config_map(11, "u1", true));
  EXPECT_TRUE(expectations_.ready(kKey));
  expectations_.deleted(kKey, store_, kObject, "u0");
  EXPECT_TRUE(expectations_.ready(kKey)) << "the object of that uid is gone already";
}

TEST_F(ExpectationsTest, GivesUpAWriteThatNeverShows) {
  expectations_.wrote(kKey, store_, kObject, "12");
  clock_.advance(absl::Minutes(4));
  EXPECT_FALSE(expectations_.ready(kKey));
  clock_.advance(absl::Minutes(1));
  EXPECT_TRUE(expectations_.ready(kKey));
  EXPECT_EQ(expectations_.given_up(), 1u);
}

}  // namespace
}  // namespace tidegate::kube
