#include "operator/controllers/modeldeployment/traffic_versions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samples.h"

namespace tidegate::operator_ {
namespace {

using testing::ElementsAre;

const base::ObjectKey kDigits{"demo", "digits"};

constexpr auto kUnbroken = TrafficVersions::Continuity::kUnbroken;
constexpr auto kMayHaveMissed = TrafficVersions::Continuity::kMayHaveMissed;

TEST(TrafficVersions, AreThoseOfTheWriteThatChangedTheShares) {
  TrafficVersions versions;
  api::ModelDeployment object = sample_object();
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(1));
  EXPECT_EQ(versions.of(kDigits), 0u);
  object.status.traffic = {{"digits-s", 100}};
  object.metadata.resource_version = "20";
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(2));
  object.metadata.resource_version = "30";  // something else changed
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(3));
  EXPECT_EQ(versions.of(kDigits), 20u);
  EXPECT_EQ(versions.highest(), 20u);
  object.metadata.uid = "uid-2";  // made again
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(4));
  EXPECT_EQ(versions.of(kDigits), 30u);
}

// A rollout may have begun and been taken back meanwhile, and a gateway may have its shares still.
TEST(TrafficVersions, AreNewAfterAGapThoughTheSharesAreTheSame) {
  TrafficVersions versions;
  api::ModelDeployment object = sample_object();
  object.status.traffic = {{"digits-s", 100}};
  object.metadata.resource_version = "20";
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(1));
  object.metadata.resource_version = "30";
  versions.saw(kDigits, object, kMayHaveMissed, absl::Seconds(2));
  EXPECT_EQ(versions.of(kDigits), 30u);
  EXPECT_EQ(versions.highest(), 30u);
  EXPECT_THAT(versions.confirmed(30, absl::Seconds(3)), testing::IsEmpty()) << "nobody saw it being written";
}

TEST(TrafficVersions, TellHowLongEachWriteTookOnce) {
  TrafficVersions versions;
  api::ModelDeployment object = sample_object();
  object.status.traffic = {{"digits-s", 100}};
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(1));
  EXPECT_THAT(versions.confirmed(7, absl::Seconds(2)), testing::IsEmpty()) << "nobody saw it being written";
  object.status.traffic = {{"digits-s", 90}, {"digits-c", 10}};
  object.metadata.resource_version = "8";
  versions.saw(kDigits, object, kUnbroken, absl::Seconds(3));
  EXPECT_THAT(versions.confirmed(7, absl::Seconds(4)), testing::IsEmpty());
  EXPECT_THAT(versions.confirmed(8, absl::Seconds(5)), ElementsAre(absl::Seconds(2)));
  EXPECT_THAT(versions.confirmed(9, absl::Seconds(6)), testing::IsEmpty());
}

}  // namespace
}  // namespace tidegate::operator_
