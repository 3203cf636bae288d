#include "operator/observers/gateways.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::operator_ {
namespace {

using testing::HasSubstr;

const absl::Time kFrom = absl::FromUnixSeconds(1'000'000);

std::shared_ptr<kube::Pod> gateway(const std::string& name) {
  auto pod = std::make_shared<kube::Pod>();
  pod->meta.name = name;
  pod->ready = true;
  pod->phase = "Running";
  return pod;
}

TEST(Gateways, ThatAreGoingStillCountUntilTheirContainersHaveEnded) {
  auto leaving = gateway("g1");
  leaving->meta.deleted = kFrom;
  auto gone = gateway("g2");
  gone->phase = "Succeeded";
  const auto found = gateway_states({leaving, gone}, {}, {}, kFrom);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "g1");
  EXPECT_FALSE(found[0].ready);
}

TEST(Gateways, AreAsFarAsTheirAnswersOrTheirAcknowledgementsSay) {
  xds::ServerStatus xds;
  xds.nodes.resize(1);
  xds.nodes[0].node_id = "g1";
  xds.nodes[0].applied.resource_version = 12;
  std::map<std::string, GatewayReading> readings{{"g1", {kFrom, {11, {}}, std::nullopt, ""}},
                                                 {"g2", {kFrom, {13, {}}, std::nullopt, ""}}};
  const auto found = gateway_states({gateway("g1"), gateway("g2"), gateway("g3")}, readings, xds, kFrom);
  EXPECT_EQ(found[0].applied.resource_version, 12u);
  EXPECT_EQ(found[1].applied.resource_version, 13u);
  EXPECT_EQ(found[2].applied.resource_version, 0u);
}

TEST(Gateways, ThatRefuseAnObjectHaveAppliedNothingOfItAndAllOfTheOthers) {
  xds::ServerStatus xds;
  xds.nodes.resize(1);
  xds.nodes[0].node_id = "g1";
  xds.nodes[0].applied = {12, {"demo/digits"}};
  xds.nodes[0].rejections = {{traffic::ResourceType::kVirtualHost, "demo/digits", "no good"}};
  // Of one that another replica serves, the reason is not known here.
  std::map<std::string, GatewayReading> readings{{"g2", {kFrom, {13, {"demo/digits"}}, std::nullopt, ""}}};
  const auto found = gateway_states({gateway("g1"), gateway("g2")}, readings, xds, kFrom);
  const auto of_digits = proxies_for("demo/digits", found);
  EXPECT_EQ(of_digits[0].applied_resource_version, 0u);
  EXPECT_EQ(of_digits[0].rejection, "no good");
  EXPECT_EQ(of_digits[1].applied_resource_version, 0u);
  EXPECT_THAT(of_digits[1].rejection, HasSubstr("refused"));
  const auto of_cats = proxies_for("demo/cats", found);
  EXPECT_EQ(of_cats[0].applied_resource_version, 12u);
  EXPECT_EQ(of_cats[1].applied_resource_version, 13u);
  EXPECT_EQ(of_cats[1].rejection, "");
  EXPECT_EQ(applied_by_all(found), 12u);
}

TEST(Gateways, ThatHaveNeverBegunAreWaitedForByNobody) {
  auto pending = gateway("g1");
  pending->phase = "Pending";
  pending->ready = false;
  EXPECT_TRUE(gateway_states({pending}, {}, {}, kFrom).empty());
  pending->ip = "10.0.0.7";
  EXPECT_EQ(gateway_states({pending}, {}, {}, kFrom).size(), 1u) << "its containers are being started";
}

TEST(Gateways, ThatWereRestartedHaveAppliedNothingYet) {
  auto restarted = gateway("g1");
  kube::ContainerStatus envoy;
  envoy.name = "envoy";
  envoy.container_id = "containerd://second";
  restarted->containers = {envoy};
  std::map<std::string, GatewayReading> readings{{"g1", {kFrom, {11, {}}, std::nullopt, "", "containerd://first"}}};
  EXPECT_EQ(gateway_states({restarted}, readings, {}, kFrom)[0].applied.resource_version, 0u);
  readings["g1"].instance = "containerd://second";
  EXPECT_EQ(gateway_states({restarted}, readings, {}, kFrom)[0].applied.resource_version, 11u);
}

TEST(Gateways, WhoseContainerEndedStillCountBecauseItIsStartedAgain) {
  auto crashed = gateway("g1");
  kube::ContainerStatus envoy;
  envoy.state = kube::ContainerStatus::State::kTerminated;
  crashed->containers = {envoy};
  EXPECT_EQ(gateway_states({crashed}, {}, {}, kFrom).size(), 1u);
  crashed->meta.deleted = kFrom;
  EXPECT_EQ(gateway_states({crashed}, {}, {}, kFrom).size(), 0u);
}

TEST(Gateways, AreGivenUpOnlyWhenUnreachableForLongAndNotReady) {
  auto lost = gateway("g1");
  std::map<std::string, GatewayReading> readings{{"g1", {std::nullopt, {}, kFrom, "connection refused"}}};
  const absl::Time later = kFrom + kGatewayGivenUpAfter;
  EXPECT_FALSE(gateway_states({lost}, readings, {}, later)[0].excluded) << "users' requests may still go there";
  EXPECT_THAT(measurement_error(gateway_states({lost}, readings, {}, later), readings)->message,
              HasSubstr("connection refused"));
  lost->ready = false;
  EXPECT_TRUE(gateway_states({lost}, readings, {}, later)[0].excluded);
  EXPECT_FALSE(gateway_states({lost}, readings, {}, later - absl::Seconds(1))[0].excluded);
}

}  // namespace
}  // namespace tidegate::operator_
