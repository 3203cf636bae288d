#include "traffic/build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/strings.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"

namespace tidegate::traffic {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace route = envoy::config::route::v3;

Program program(const std::string& name, const std::string& resource_version = "10") {
  Program program;
  program.namespace_ = "demo";
  program.name = name;
  program.uid = base::cat("uid-", name);
  program.created = absl::FromUnixSeconds(1000);
  program.resource_version = resource_version;
  program.revisions = {{base::cat(name, "-00000001"), 95, {{"10.0.0.1"}, {"10.0.0.2"}}},
                       {base::cat(name, "-00000002"), 5, {{"10.0.0.3"}}}};
  return program;
}

BuildResult build_all(const std::vector<Program>& programs, const Snapshot* previous = nullptr) {
  return build(programs, Settings{}, previous);
}

route::RouteConfiguration routes_of(const BuildResult& result) {
  route::RouteConfiguration routes;
  EXPECT_TRUE(routes.ParseFromString(result.snapshot->set(ResourceType::kRoutes).resources.at("tidegate")));
  return routes;
}

// Of the virtual host "demo/<name>", REST or gRPC.
const route::Route* find_route(const route::RouteConfiguration& routes, const std::string& name, bool grpc = false) {
  for (const route::VirtualHost& host : routes.virtual_hosts()) {
    if (host.name() != base::cat("demo/", name)) continue;
    for (const route::Route& candidate : host.routes()) {
      if (candidate.match().has_grpc() == grpc) return &candidate;
    }
  }
  return nullptr;
}

std::vector<uint32_t> weights(const BuildResult& result, const std::string& name, bool grpc = false) {
  const route::RouteConfiguration routes = routes_of(result);
  std::vector<uint32_t> weights;
  for (const auto& cluster : find_route(routes, name, grpc)->route().weighted_clusters().clusters()) {
    weights.push_back(cluster.weight().value());
  }
  return weights;
}

std::vector<std::string> domains(const BuildResult& result, const std::string& name) {
  const route::RouteConfiguration routes = routes_of(result);
  for (const route::VirtualHost& host : routes.virtual_hosts()) {
    if (host.name() == base::cat("demo/", name)) return {host.domains().begin(), host.domains().end()};
  }
  return {};
}

std::vector<std::string> addresses(const BuildResult& result, const std::string& cluster) {
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  EXPECT_TRUE(assignment.ParseFromString(result.snapshot->set(ResourceType::kEndpoints).resources.at(cluster)));
  std::vector<std::string> addresses;
  for (const auto& locality : assignment.endpoints()) {
    for (const auto& endpoint : locality.lb_endpoints()) {
      const auto& socket = endpoint.endpoint().address().socket_address();
      addresses.push_back(base::cat(socket.address(), ":", socket.port_value()));
    }
  }
  return addresses;
}

TEST(Build, MakesTwoClustersARevisionWithItsPodsAsEndpoints) {
  const BuildResult result = build_all({program("digits")});
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_EQ(result.snapshot->set(ResourceType::kCluster).resources.size(), 4u);
  EXPECT_THAT(addresses(result, "demo/digits/digits-00000001"), ElementsAre("10.0.0.1:8501", "10.0.0.2:8501"));
  EXPECT_THAT(addresses(result, "demo/digits/digits-00000001/grpc"), ElementsAre("10.0.0.1:8500", "10.0.0.2:8500"));
  EXPECT_THAT(weights(result, "digits"), ElementsAre(9500, 500));
  EXPECT_THAT(weights(result, "digits", true), ElementsAre(9500, 500));
}

TEST(Build, SameProgramsGiveTheSameBytesInWhateverOrder) {
  Program shuffled = program("digits");
  std::reverse(shuffled.revisions.begin(), shuffled.revisions.end());
  for (Revision& revision : shuffled.revisions) std::reverse(revision.endpoints.begin(), revision.endpoints.end());
  const BuildResult a = build_all({program("cats"), program("digits")});
  const BuildResult b = build_all({shuffled, program("cats")});
  for (const ResourceType type : kResourceTypes) {
    EXPECT_EQ(a.snapshot->set(type).version, b.snapshot->set(type).version);
    EXPECT_EQ(a.snapshot->set(type).resources, b.snapshot->set(type).resources);
  }
}

TEST(Build, AChangedWeightChangesRoutesAlone) {
  const BuildResult before = build_all({program("digits", "10")});
  Program changed = program("digits", "11");
  changed.revisions[0].weight = 75;
  changed.revisions[1].weight = 25;
  const BuildResult after = build_all({changed}, before.snapshot.get());
  for (const ResourceType type : {ResourceType::kCluster, ResourceType::kEndpoints, ResourceType::kListener}) {
    EXPECT_EQ(after.snapshot->set(type).version, before.snapshot->set(type).version);
  }
  EXPECT_NE(after.snapshot->set(ResourceType::kRoutes).version, before.snapshot->set(ResourceType::kRoutes).version);
}

TEST(Build, RoutesCarryTheHighestResourceVersionAsANumber) {
  const BuildResult result = build_all({program("cats", "99"), program("digits", "100")});
  EXPECT_EQ(result.snapshot->resource_version, 100u);
  EXPECT_EQ(resource_version_of(result.snapshot->set(ResourceType::kRoutes).version), 100u);
}

TEST(Build, TheNumberNeverFallsWhenTheNewestObjectIsDeleted) {
  const BuildResult before = build_all({program("cats", "99"), program("digits", "100")});
  const BuildResult after = build_all({program("cats", "99")}, before.snapshot.get());
  EXPECT_EQ(after.snapshot->resource_version, 100u);
  Settings settings;
  settings.store_resource_version = 150;
  EXPECT_EQ(build({program("cats", "99")}, settings, nullptr).snapshot->resource_version, 99u);
  EXPECT_EQ(build({program("cats", "99")}, settings, nullptr).snapshot->caught_up_to, 150u);
}

TEST(Build, ARevisionWithoutEndpointsKeepsItsClusterAndLosesItsShare) {
  Program digits = program("digits");
  digits.revisions[1].endpoints.clear();
  const BuildResult result = build_all({digits});
  EXPECT_THAT(weights(result, "digits"), ElementsAre(10000, 0));
  EXPECT_THAT(addresses(result, "demo/digits/digits-00000002"), IsEmpty());
}

TEST(Build, RoutesLeadAwayFromARevisionBeforeItsLastEndpointGoes) {
  const BuildResult before = build_all({program("digits")});
  EXPECT_FALSE(before.unfinished);
  Program without = program("digits");
  without.revisions[1].endpoints.clear();
  const BuildResult away = build_all({without}, before.snapshot.get());
  EXPECT_THAT(weights(away, "digits"), ElementsAre(10'000, 0));
  EXPECT_THAT(addresses(away, "demo/digits/digits-00000002"), ElementsAre("10.0.0.3:8501"));
  EXPECT_TRUE(away.unfinished);
  const BuildResult after = build_all({without}, away.snapshot.get());
  EXPECT_THAT(addresses(after, "demo/digits/digits-00000002"), IsEmpty());
  EXPECT_FALSE(after.unfinished);
}

TEST(Build, EndpointsGoAtOnceWhereRoutesCannotLeadElsewhere) {
  const BuildResult before = build_all({program("digits")});
  Program without = program("digits");
  for (Revision& revision : without.revisions) revision.endpoints.clear();
  const BuildResult after = build_all({without}, before.snapshot.get());
  EXPECT_THAT(addresses(after, "demo/digits/digits-00000001"), IsEmpty());
  EXPECT_FALSE(after.unfinished);
}

TEST(Build, SharesFollowEachProtocolsOwnEndpoints) {
  Program digits = program("digits");
  digits.revisions[1].endpoints[0].grpc_port = 0;
  const BuildResult result = build_all({digits});
  EXPECT_THAT(weights(result, "digits"), ElementsAre(9500, 500));
  EXPECT_THAT(weights(result, "digits", true), ElementsAre(10000, 0));
}

TEST(Build, WithoutWeightsRequestsAreAnswered503) {
  Program digits = program("digits");
  for (Revision& revision : digits.revisions) revision.weight = 0;
  const route::RouteConfiguration routes = routes_of(build_all({digits}));
  EXPECT_EQ(find_route(routes, "digits")->direct_response().status(), 503u);
}

TEST(Build, NeverRetriesWhatMayHaveBeenInferred) {
  Program digits = program("digits");
  digits.retries = 2;
  const route::RouteConfiguration routes = routes_of(build_all({digits}));
  const route::RetryPolicy& policy = find_route(routes, "digits")->route().retry_policy();
  EXPECT_EQ(policy.retry_on(), "connect-failure,refused-stream,reset-before-request");
  EXPECT_EQ(policy.num_retries().value(), 2u);
  digits.retries = 0;
  const route::RouteConfiguration without = routes_of(build_all({digits}));
  EXPECT_FALSE(find_route(without, "digits")->route().has_retry_policy());
}

TEST(Build, TimeoutAndConcurrencyArriveAtTheProxy) {
  Program digits = program("digits");
  digits.timeout = absl::Milliseconds(2500);
  digits.max_concurrency = 7;
  const BuildResult result = build_all({digits});
  const route::RouteConfiguration routes = routes_of(result);
  EXPECT_EQ(find_route(routes, "digits")->route().timeout().seconds(), 2);
  EXPECT_EQ(find_route(routes, "digits")->route().timeout().nanos(), 500'000'000);
  envoy::config::cluster::v3::Cluster cluster;
  ASSERT_TRUE(cluster.ParseFromString(
      result.snapshot->set(ResourceType::kCluster).resources.at("demo/digits/digits-00000001")));
  EXPECT_EQ(cluster.circuit_breakers().thresholds(0).max_requests().value(), 7u);
}

TEST(Build, AnswersToItsThreeNamesAndItsHosts) {
  Program digits = program("digits");
  digits.hosts = {"Digits.Example.org"};
  const BuildResult result = build_all({digits});
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_THAT(domains(result, "digits"),
              ElementsAre("digits.demo", "digits.demo.svc", "digits.demo.svc.cluster.local", "digits.example.org"));
}

TEST(Build, TheOlderObjectKeepsAHostThatTwoClaim) {
  Program cats = program("cats");
  Program digits = program("digits");
  cats.hosts = digits.hosts = {"models.example.org"};
  digits.created = cats.created - absl::Seconds(1);
  const BuildResult result = build_all({cats, digits});
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_EQ(result.errors[0].name, "cats");
  EXPECT_EQ(result.errors[0].reason, "HostConflict");
  EXPECT_THAT(result.errors[0].message, HasSubstr("the older ModelDeployment demo/digits has it"));
  EXPECT_EQ(domains(result, "cats").size(), 3u);
  EXPECT_EQ(domains(result, "digits").size(), 4u);
}

TEST(Build, HostsThatBelongToTheClusterAreRefused) {
  for (const char* host : {"other.demo.svc", "x.cluster.local", "cluster.local", "cats.demo", "nodots", "bad_name.org",
                           "-a.org", "a..org", "*.org", ""}) {
    Program digits = program("digits");
    digits.hosts = {host};
    const BuildResult result = build_all({digits, program("cats")});
    ASSERT_EQ(result.errors.size(), 1u) << host;
    EXPECT_EQ(result.errors[0].reason, "HostRefused") << host;
    EXPECT_EQ(domains(result, "digits").size(), 3u) << host;
  }
}

TEST(Build, AFaultyObjectKeepsItsLastGoodProgramWithThePodsOfNow) {
  const BuildResult before = build_all({program("cats"), program("digits", "10")});
  Program faulty = program("digits", "11");
  faulty.revisions[0].weight = 50;  // 55 in all
  faulty.revisions[0].endpoints = {{"10.0.0.9"}};
  const BuildResult after = build_all({program("cats"), faulty}, before.snapshot.get());
  ASSERT_EQ(after.errors.size(), 1u);
  EXPECT_EQ(after.errors[0].reason, "InvalidTraffic");
  EXPECT_THAT(after.errors[0].message, HasSubstr("sum to 55, not to 100"));
  EXPECT_THAT(weights(after, "digits"), ElementsAre(9500, 500));
  EXPECT_THAT(addresses(after, "demo/digits/digits-00000001"), ElementsAre("10.0.0.9:8501"));
  EXPECT_THAT(weights(after, "cats"), ElementsAre(9500, 500));
  // And still so in the next round.
  const BuildResult later = build_all({program("cats"), faulty}, after.snapshot.get());
  EXPECT_THAT(weights(later, "digits"), ElementsAre(9500, 500));
}

TEST(Build, AFaultyNewObjectIsAnswered503AndHarmsNobodyElse) {
  Program faulty = program("digits");
  faulty.timeout = absl::ZeroDuration();
  const BuildResult result = build_all({program("cats"), faulty});
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_THAT(result.errors[0].message, HasSubstr("traffic.timeout"));
  const route::RouteConfiguration routes = routes_of(result);
  EXPECT_EQ(find_route(routes, "digits")->direct_response().status(), 503u);
  EXPECT_THAT(weights(result, "cats"), ElementsAre(9500, 500));
}

TEST(Build, EveryKindOfFaultIsFound) {
  const std::vector<std::pair<std::string, std::function<void(Program&)>>> faults = {
      {"resourceVersion", [](Program& p) { p.resource_version = "x"; }},
      {"retries", [](Program& p) { p.retries = -1; }},
      {"maxConcurrency", [](Program& p) { p.max_concurrency = 0; }},
      {"not a DNS label", [](Program& p) { p.revisions[0].name = "Digits.1"; }},
      {"given twice", [](Program& p) { p.revisions[1].name = p.revisions[0].name; }},
      {"0 to 100", [](Program& p) { p.revisions[0].weight = 101; }},
      {"not an IP address", [](Program& p) { p.revisions[0].endpoints[0].address = "pod-1"; }},
  };
  for (const auto& [words, damage] : faults) {
    Program faulty = program("digits");
    damage(faulty);
    const BuildResult result = build_all({faulty});
    ASSERT_EQ(result.errors.size(), 1u) << words;
    EXPECT_THAT(result.errors[0].message, HasSubstr(words));
  }
}

TEST(Build, OfADeletedObjectAndItsSuccessorTheNewerCounts) {
  Program successor = program("digits");
  successor.uid = "uid-successor";
  successor.created += absl::Seconds(5);
  successor.revisions[0].weight = 100;
  successor.revisions[1].weight = 0;
  EXPECT_THAT(weights(build_all({program("digits"), successor}), "digits"), ElementsAre(10000, 0));
  EXPECT_THAT(weights(build_all({successor, program("digits")}), "digits"), ElementsAre(10000, 0));
}

TEST(Build, NothingAtAllIsASnapshotThatAnswers404) {
  const BuildResult result = build_all({});
  EXPECT_EQ(result.snapshot->set(ResourceType::kListener).resources.size(), 1u);
  const route::RouteConfiguration routes = routes_of(result);
  ASSERT_EQ(routes.virtual_hosts_size(), 1);
  EXPECT_EQ(routes.virtual_hosts(0).routes(0).direct_response().status(), 404u);
}

TEST(Snapshot, VersionsBeginWithTheirNumber) {
  EXPECT_EQ(resource_version_of("18446744073709551615-ab"), 18446744073709551615u);
  EXPECT_EQ(resource_version_of("12"), 0u);
  EXPECT_EQ(resource_version_of("-ab"), 0u);
  EXPECT_EQ(resource_version_of(""), 0u);
  EXPECT_EQ(resource_version_of("99999999999999999999-ab"), 0u);
}

}  // namespace
}  // namespace tidegate::traffic
