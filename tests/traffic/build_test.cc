#include "traffic/build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/strings.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "traffic/applied_version.h"
#include "traffic/in_order.h"

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

BuildResult build_all(const std::vector<Program>& programs, const BuildResult* previous = nullptr) {
  return build(in_order(programs), Settings{}, previous);
}

size_t count(const BuildResult& result, ResourceType type) {
  size_t count = 0;
  for (const auto& group : result.snapshot->groups) count += group->of(type).size();
  return count;
}

const Resource* host_resource(const BuildResult& result, const std::string& name) {
  return result.snapshot->find(ResourceType::kVirtualHost, base::cat("tidegate/demo.", name));
}

// Of demo/<name>.
route::VirtualHost host_of(const BuildResult& result, const std::string& name) {
  route::VirtualHost host;
  const Resource* resource = host_resource(result, name);
  EXPECT_TRUE(resource != nullptr && host.ParseFromString(resource->bytes)) << name;
  EXPECT_EQ(host.name(), base::cat("tidegate/demo.", name));
  return host;
}

route::Route route_of(const BuildResult& result, const std::string& name, bool grpc = false) {
  const route::VirtualHost host = host_of(result, name);
  for (const route::Route& candidate : host.routes()) {
    if (candidate.match().has_grpc() == grpc) return candidate;
  }
  ADD_FAILURE() << "no route";
  return {};
}

std::vector<uint32_t> weights(const BuildResult& result, const std::string& name, bool grpc = false) {
  const route::Route route = route_of(result, name, grpc);
  std::vector<uint32_t> weights;
  for (const auto& cluster : route.route().weighted_clusters().clusters()) {
    weights.push_back(cluster.weight().value());
  }
  return weights;
}

std::vector<std::string> domains(const BuildResult& result, const std::string& name) {
  const route::VirtualHost host = host_of(result, name);
  return {host.domains().begin(), host.domains().end()};
}

std::vector<std::string> addresses(const BuildResult& result, const std::string& cluster) {
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  EXPECT_TRUE(assignment.ParseFromString(result.snapshot->find(ResourceType::kEndpoints, cluster)->bytes));
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
  EXPECT_EQ(count(result, ResourceType::kCluster), 4u + 1) << "and the version cluster";
  EXPECT_THAT(addresses(result, "demo/digits/digits-00000001"), ElementsAre("10.0.0.1:8501", "10.0.0.2:8501"));
  EXPECT_THAT(addresses(result, "demo/digits/digits-00000001/grpc"), ElementsAre("10.0.0.1:8500", "10.0.0.2:8500"));
  EXPECT_THAT(weights(result, "digits"), ElementsAre(9500, 500));
  EXPECT_THAT(weights(result, "digits", true), ElementsAre(9500, 500));
}

TEST(Build, SameProgramsGiveTheSameBytesInWhateverOrderTheirPartsCome) {
  Program shuffled = program("digits");
  std::reverse(shuffled.revisions.begin(), shuffled.revisions.end());
  for (Revision& revision : shuffled.revisions) std::reverse(revision.endpoints.begin(), revision.endpoints.end());
  const BuildResult a = build_all({program("cats"), program("digits")});
  const BuildResult b = build_all({shuffled, program("cats")});
  ASSERT_EQ(a.snapshot->groups.size(), b.snapshot->groups.size());
  for (size_t i = 0; i < a.snapshot->groups.size(); ++i) {
    EXPECT_EQ(a.snapshot->groups[i]->owner, b.snapshot->groups[i]->owner);
    EXPECT_EQ(a.snapshot->groups[i]->resources, b.snapshot->groups[i]->resources);
  }
}

TEST(Build, AChangedWeightChangesTheVirtualHostAlone) {
  const BuildResult before = build_all({program("digits", "10")});
  Program changed = program("digits", "11");
  changed.revisions[0].weight = 75;
  changed.revisions[1].weight = 25;
  const BuildResult after = build_all({changed}, &before);
  const ResourceGroup* old = before.snapshot->find({"demo", "digits"});
  const ResourceGroup* now = after.snapshot->find({"demo", "digits"});
  for (const ResourceType type : {ResourceType::kCluster, ResourceType::kEndpoints}) {
    EXPECT_EQ(old->of(type), now->of(type));
  }
  EXPECT_NE(host_resource(before, "digits")->version, host_resource(after, "digits")->version);
  EXPECT_EQ(before.snapshot->groups.front(), after.snapshot->groups.front());
}

TEST(Build, OnlyWhatChangedIsMadeAnew) {
  std::vector<Program> programs = {program("cats"), program("digits"), program("dogs")};
  const BuildResult before = build_all(programs);
  EXPECT_EQ(before.rebuilt, 3u);
  programs[0].resource_version = "77";
  programs[1].revisions[0].endpoints.push_back({"10.0.0.9"});
  programs.push_back(program("eels"));
  const BuildResult after = build_all(programs, &before);
  EXPECT_EQ(after.rebuilt, 2u);
  for (const char* name : {"cats", "dogs"}) {
    EXPECT_EQ(before.snapshot->find({"demo", name}), after.snapshot->find({"demo", name})) << name;
  }
  EXPECT_EQ(after.snapshot->resource_version, 77u);
  // The one that another's host is about is made anew with it, and the rest stays.
  programs[2].hosts = {"pets.example.org"};
  EXPECT_EQ(build_all(programs, &after).rebuilt, 1u);
}

TEST(Build, OtherSettingsMakeEverythingAnew) {
  const BuildResult before = build_all({program("digits")});
  Settings settings;
  settings.cluster_domain = "example.internal";
  const BuildResult after = build(in_order({program("digits")}), settings, &before);
  EXPECT_THAT(domains(after, "digits"), testing::Contains("digits.demo.svc.example.internal"));
}

TEST(Build, TheSnapshotHasTheHighestResourceVersion) {
  const BuildResult result = build_all({program("cats", "99"), program("digits", "100")});
  EXPECT_EQ(result.snapshot->resource_version, 100u);
}

TEST(Build, AVirtualHostsVersionSaysWhenItLastChanged) {
  const BuildResult before = build_all({program("digits", "10")});
  EXPECT_EQ(resource_version_of(host_resource(before, "digits")->version), 10u);
  const BuildResult same = build_all({program("digits", "11")}, &before);
  EXPECT_EQ(host_resource(same, "digits")->version, host_resource(before, "digits")->version);
  Program changed = program("digits", "12");
  changed.timeout = absl::Seconds(7);
  const BuildResult after = build_all({changed}, &same);
  EXPECT_EQ(resource_version_of(host_resource(after, "digits")->version), 12u);
}

TEST(Build, TheNumberNeverFallsWhenTheNewestObjectIsDeleted) {
  const BuildResult before = build_all({program("cats", "99"), program("digits", "100")});
  const BuildResult after = build_all({program("cats", "99")}, &before);
  EXPECT_EQ(after.snapshot->resource_version, 100u);
  Settings settings;
  settings.store_resource_version = 150;
  EXPECT_EQ(build(in_order({program("cats", "99")}), settings, nullptr).snapshot->resource_version, 99u);
  EXPECT_EQ(build(in_order({program("cats", "99")}), settings, nullptr).snapshot->caught_up_to, 150u);
}

// Else a replica that has not seen the deletion would give the routes back to a gateway that comes to it.
TEST(Build, TheNumberRisesToThatOfTheStoreWhenAnObjectGoes) {
  Settings settings;
  settings.store_resource_version = 150;
  const BuildResult before = build(in_order({program("cats", "99"), program("digits", "100")}), settings, nullptr);
  EXPECT_EQ(before.snapshot->resource_version, 100u);
  settings.store_resource_version = 160;
  const BuildResult same = build(in_order({program("cats", "120"), program("digits", "100")}), settings, &before);
  EXPECT_EQ(same.snapshot->resource_version, 120u) << "nothing is gone";
  const BuildResult after = build(in_order({program("cats", "120")}), settings, &same);
  EXPECT_EQ(after.snapshot->resource_version, 160u);
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
  const BuildResult away = build_all({without}, &before);
  EXPECT_THAT(weights(away, "digits"), ElementsAre(10'000, 0));
  EXPECT_THAT(addresses(away, "demo/digits/digits-00000002"), ElementsAre("10.0.0.3:8501"));
  EXPECT_TRUE(away.unfinished);
  const BuildResult after = build_all({without}, &away);
  EXPECT_THAT(addresses(after, "demo/digits/digits-00000002"), IsEmpty());
  EXPECT_FALSE(after.unfinished);
}

TEST(Build, EndpointsGoAtOnceWhereRoutesCannotLeadElsewhere) {
  const BuildResult before = build_all({program("digits")});
  Program without = program("digits");
  for (Revision& revision : without.revisions) revision.endpoints.clear();
  const BuildResult after = build_all({without}, &before);
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
  EXPECT_EQ(route_of(build_all({digits}), "digits").direct_response().status(), 503u);
}

TEST(Build, NeverRetriesWhatMayHaveBeenInferred) {
  Program digits = program("digits");
  digits.retries = 2;
  const route::RetryPolicy policy = route_of(build_all({digits}), "digits").route().retry_policy();
  EXPECT_EQ(policy.retry_on(), "connect-failure,refused-stream,reset-before-request");
  EXPECT_EQ(policy.num_retries().value(), 2u);
  digits.retries = 0;
  EXPECT_FALSE(route_of(build_all({digits}), "digits").route().has_retry_policy());
}

TEST(Build, TimeoutAndConcurrencyArriveAtTheProxy) {
  Program digits = program("digits");
  digits.timeout = absl::Milliseconds(2500);
  digits.max_concurrency = 7;
  const BuildResult result = build_all({digits});
  EXPECT_EQ(route_of(result, "digits").route().timeout().seconds(), 2);
  EXPECT_EQ(route_of(result, "digits").route().timeout().nanos(), 500'000'000);
  envoy::config::cluster::v3::Cluster cluster;
  ASSERT_TRUE(
      cluster.ParseFromString(result.snapshot->find(ResourceType::kCluster, "demo/digits/digits-00000001")->bytes));
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
  const BuildResult after = build_all({program("cats"), faulty}, &before);
  ASSERT_EQ(after.errors.size(), 1u);
  EXPECT_EQ(after.errors[0].reason, "InvalidTraffic");
  EXPECT_THAT(after.errors[0].message, HasSubstr("sum to 55, not to 100"));
  EXPECT_THAT(weights(after, "digits"), ElementsAre(9500, 500));
  EXPECT_THAT(addresses(after, "demo/digits/digits-00000001"), ElementsAre("10.0.0.9:8501"));
  EXPECT_THAT(weights(after, "cats"), ElementsAre(9500, 500));
  // And still so in the next round.
  const BuildResult later = build_all({program("cats"), faulty}, &after);
  EXPECT_THAT(weights(later, "digits"), ElementsAre(9500, 500));
}

TEST(Build, AFaultyNewObjectIsAnswered503AndHarmsNobodyElse) {
  Program faulty = program("digits");
  faulty.timeout = absl::ZeroDuration();
  const BuildResult result = build_all({program("cats"), faulty});
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_THAT(result.errors[0].message, HasSubstr("traffic.timeout"));
  EXPECT_EQ(route_of(result, "digits").direct_response().status(), 503u);
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

TEST(Build, ASuccessorIsMadeFromNothingOfItsDeletedNamesake) {
  const BuildResult before = build_all({program("digits")});
  Program successor = program("digits");
  successor.uid = "uid-successor";
  successor.revisions[0].weight = 50;  // 55 in all
  const BuildResult after = build_all({successor}, &before);
  EXPECT_EQ(route_of(after, "digits").direct_response().status(), 503u) << "it has no last good program";
}

TEST(Build, NothingAtAllIsASnapshotThatAnswers404) {
  const BuildResult result = build_all({});
  EXPECT_EQ(count(result, ResourceType::kListener), 1u);
  route::VirtualHost host;
  ASSERT_TRUE(host.ParseFromString(result.snapshot->find(ResourceType::kVirtualHost, "tidegate/*")->bytes));
  EXPECT_EQ(host.routes(0).direct_response().status(), 404u);
}

TEST(Snapshot, AResourceIsFoundByItsName) {
  const BuildResult result = build_all({program("digits"), program("a-b"), program("a")});
  for (const auto& group : result.snapshot->groups) {
    for (const ResourceType type : kResourceTypes) {
      for (const Resource& resource : group->of(type)) {
        EXPECT_EQ(owner_of(type, resource.name), group->owner) << resource.name;
        EXPECT_EQ(result.snapshot->find(type, resource.name), &resource) << resource.name;
      }
    }
  }
  EXPECT_EQ(result.snapshot->find(ResourceType::kCluster, "demo/none/none-1"), nullptr);
  EXPECT_EQ(result.snapshot->find(ResourceType::kVirtualHost, "tidegate"), nullptr);
}

TEST(AppliedVersion, ReadsWhatItWrote) {
  for (const AppliedVersion& version :
       {AppliedVersion{}, AppliedVersion{4711, {}}, AppliedVersion{5, {"demo/cats", "demo/digits"}}}) {
    EXPECT_EQ(parse_applied_version(to_text(version)), version);
  }
  EXPECT_EQ(to_text({5, {"demo/cats", "demo/digits"}}), "5 without demo/cats,demo/digits");
  for (const char* other : {"", "x", "5 with", "5 without ", "5-abc", "99999999999999999999"}) {
    EXPECT_EQ(parse_applied_version(other), AppliedVersion{}) << other;
  }
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
