// The operator as its users see it: they write a ModelDeployment, and read its status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator_world.h"

namespace tidegate::operator_ {
namespace {

using api::Phase;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

nlohmann::json version(const std::string& version, int replicas = 2) {
  return {
      {"model",
       {{"uri", "s3://models/digits"}, {"version", version}, {"credentials", {{"secretName", "minio-credentials"}}}}},
      {"replicas", replicas},
      {"rollout", {{"steps", {{{"weight", 10}}, {{"weight", 50}}}}, {"scaleDownDelay", "5s"}}}};
}

class Operator : public testing::Test {
 protected:
  bool healthy_with(const std::string& wanted) {
    const auto status = world_.object().status;
    return status.phase == Phase::kHealthy && status.stable && status.stable->version == wanted && !status.canary;
  }
  void serve(const std::string& wanted) {
    world_.apply(version(wanted));
    ASSERT_TRUE(world_.pass_until([&] { return healthy_with(wanted); })) << world_.debug_page();
  }

  OperatorWorld world_;
};

TEST_F(Operator, ServesAFirstVersionAtItsStableAddress) {
  serve("1");
  const auto object = world_.object();
  EXPECT_EQ(object.status.address, "http://digits.demo.svc");
  EXPECT_EQ(object.status.stable->available, 2);
  EXPECT_EQ(object.status.stable->digest, "sha256:c0ffee");
  EXPECT_THAT(object.status.traffic, SizeIs(1));
  EXPECT_EQ(object.status.observed_generation, object.metadata.generation);
  const auto service = world_.api_server.get(kube::resources::services(), {"demo", "digits"});
  ASSERT_TRUE(service.has_value());
  EXPECT_EQ(kube::string_at(*service, {"spec", "externalName"}),
            "tidegate-gateway-pods.tidegate-system.svc.cluster.local");
}

TEST_F(Operator, WritesNothingMoreOnceAllIsWell) {
  serve("1");
  world_.pass(absl::Minutes(1));
  const auto before = world_.object().metadata.resource_version;
  const size_t requests = world_.api_server.log.size();
  world_.pass(Reconciler::kResync + absl::Minutes(2));
  EXPECT_EQ(world_.object().metadata.resource_version, before);
  size_t writes = 0;
  for (size_t i = requests; i < world_.api_server.log.size(); ++i) {
    const std::string& line = world_.api_server.log[i];
    if (!line.starts_with("GET") && line.find("/leases/") == std::string::npos) ++writes;
  }
  EXPECT_EQ(writes, 0u);
}

// What was asked of the API server from one moment on, without what goes on anyway: the lease, watches, the webhook.
struct Cost {
  int status = 0;
  int workloads = 0;
  int evidence = 0;
  int others = 0;  // of the writes
  int events = 0;
  int reads = 0;
};

Cost cost_since(const kube::FakeApiServer& server, size_t from) {
  Cost cost;
  for (size_t i = from; i < server.log.size(); ++i) {
    const std::string& line = server.log[i];
    const auto is_about = [&](const char* what) { return line.find(what) != std::string::npos; };
    if (is_about("/leases/") || is_about("watch=true") || is_about("/validatingwebhook")) continue;
    int& kind = line.starts_with("GET")      ? cost.reads
                : is_about("/events")        ? cost.events
                : is_about("/digits/status") ? cost.status
                : is_about("/deployments")   ? cost.workloads
                : is_about("/configmaps")    ? cost.evidence
                                             : cost.others;
    ++kind;
  }
  return cost;
}

// One step of an update after the other, all pods of a step at once: what cannot be saved.
Cost cost_of_an_update(OperatorWorld& world, nlohmann::json first, nlohmann::json second) {
  const auto at_rest = [&](const std::string& version) {
    const auto status = world.object().status;
    return status.phase == Phase::kHealthy && status.stable->version == version && status.draining.empty();
  };
  world.apply(first);
  EXPECT_TRUE(world.pass_until([&] { return at_rest("1"); })) << world.debug_page();
  world.pass(absl::Minutes(1));
  const size_t from = world.api_server.log.size();
  world.apply(second);
  EXPECT_TRUE(world.pass_until([&] { return at_rest("2"); })) << world.debug_page();
  return cost_since(world.api_server, from);
}

nlohmann::json in_two_steps(const std::string& wanted, bool measured) {
  nlohmann::json spec = version(wanted);
  const nlohmann::json low = {{"weight", 20}, {"hold", "3s"}}, high = {{"weight", 60}, {"hold", "3s"}};
  spec["rollout"]["steps"] = nlohmann::json::array({low, high});
  spec["rollout"]["scaleDownDelay"] = "0s";
  if (!measured) spec["rollout"]["analysis"]["checks"] = nlohmann::json::array();
  return spec;
}

TEST_F(Operator, WritesLittleInAnUpdateThatIsNotMeasured) {
  const Cost cost = cost_of_an_update(world_, in_two_steps("1", false), in_two_steps("2", false));
  EXPECT_EQ(cost.status, 8) << "begun, each of three weights written and verified, drained";
  EXPECT_EQ(cost.workloads, 3) << "made, scaled up, the old one scaled down";
  EXPECT_EQ(cost.evidence, 0);
  EXPECT_EQ(cost.others, 0);
  EXPECT_LE(cost.reads, 1) << "the Secret, when a poll is due";
  EXPECT_EQ(cost.events, 8);
}

TEST_F(Operator, WritesLittleInAnUpdateThatIsMeasured) {
  const Cost cost = cost_of_an_update(world_, in_two_steps("1", true), in_two_steps("2", true));
  EXPECT_EQ(cost.status, 8);
  EXPECT_EQ(cost.workloads, 3);
  EXPECT_EQ(cost.evidence, 2) << "before each of two verdicts";
  EXPECT_EQ(cost.others, 0);
  EXPECT_LE(cost.reads, 2) << "and the evidence, once";
  EXPECT_EQ(cost.events, 8);
}

TEST_F(Operator, PromotesAVersionThatMeasuresWellStepByStep) {
  serve("1");
  const std::string first = world_.object().status.stable->revision;
  world_.apply(version("2"));
  ASSERT_TRUE(world_.pass_until([&] { return healthy_with("2"); })) << world_.debug_page();
  const std::string second = world_.object().status.stable->revision;
  EXPECT_THAT(
      world_.weights_written,
      testing::ElementsAre(first + ":100", AllOf(HasSubstr(first + ":90"), HasSubstr(second + ":10")),
                           AllOf(HasSubstr(first + ":50"), HasSubstr(second + ":50")), HasSubstr(second + ":100")));
  EXPECT_EQ(world_.object().status.history.back().outcome, api::Outcome::kPromoted);
  ASSERT_TRUE(world_.pass_until([&] {
    return kube::int_at(*world_.api_server.get(kube::resources::deployments(), {"demo", first}),
                        {"spec", "replicas"}) == 0;
  }));
}

TEST_F(Operator, TakesBackAVersionThatFailsAndKeepsItQuarantined) {
  serve("1");
  const std::string first = world_.object().status.stable->revision;
  world_.behaviours["3"] = {.errors = 0.3, .milliseconds = 10};
  world_.apply(version("3"));
  ASSERT_TRUE(world_.pass_until([&] { return world_.object().status.phase == Phase::kRolledBack; }))
      << world_.debug_page();
  const auto status = world_.object().status;
  EXPECT_THAT(status.quarantined, SizeIs(1));
  EXPECT_EQ(status.quarantined[0].version, "3");
  EXPECT_EQ(status.stable->revision, first);
  EXPECT_EQ(world_.weights_written.back().substr(0, first.size() + 4), first + ":100");
  // The next version is not held up by it.
  world_.apply(version("2"));
  EXPECT_TRUE(world_.pass_until([&] { return healthy_with("2"); })) << world_.debug_page();
}

// Counts are read every 5 s from the window's beginning on; the verdict does not wait for a timer of its own.
TEST_F(Operator, TakesAVersionBackAtTheFirstReadingThatConvictsIt) {
  serve("1");
  world_.behaviours["3"] = {.errors = 0.5, .milliseconds = 10};
  world_.apply(version("3"));
  ASSERT_TRUE(world_.pass_until([&] {
    const auto status = world_.object().status;
    return status.canary && status.canary->measure_from.has_value();
  })) << world_.debug_page();
  world_.pass(absl::Seconds(6));
  EXPECT_EQ(world_.object().status.phase, Phase::kRolledBack) << world_.debug_page();
}

TEST_F(Operator, GoesOnAfterItsLeaderWasKilledInTheMiddleOfARollout) {
  serve("1");
  world_.apply(version("2"));
  ASSERT_TRUE(world_.pass_until([&] {
    const auto status = world_.object().status;
    return status.canary && status.canary->measure_from.has_value();
  })) << world_.debug_page();
  world_.pass(absl::Seconds(7));
  world_.kill_leader();
  world_.pass(absl::Seconds(3));
  world_.start_operator();
  ASSERT_TRUE(world_.pass_until([&] { return healthy_with("2"); })) << world_.debug_page();
  EXPECT_THAT(world_.weights_written, SizeIs(4)) << "no step was repeated";
}

TEST_F(Operator, AnotherReplicaTakesOverWithinTheLeaseWhenTheLeaderIsKilled) {
  world_.start_operator();
  serve("1");
  world_.apply(version("2"));
  ASSERT_TRUE(world_.pass_until([&] { return world_.object().status.canary.has_value(); }));
  world_.kill_leader();
  world_.pass(absl::Seconds(20));
  ASSERT_TRUE(world_.pass_until([&] { return healthy_with("2"); }, absl::Minutes(3))) << world_.debug_page();
  EXPECT_THAT(world_.weights_written, SizeIs(4));
  EXPECT_EQ(world_.object().status.leader_epoch, 2);
}

TEST_F(Operator, ALeaderThatIsCutOffStopsBeforeAnotherOneStarts) {
  world_.start_operator();
  serve("1");
  world_.apply(version("2"));
  ASSERT_TRUE(world_.pass_until([&] { return world_.object().status.canary.has_value(); }));
  world_.cut_off_leader();
  for (int i = 0; i < 240; ++i) {
    world_.pass(absl::Milliseconds(250));
    ASSERT_LE(world_.leaders(), 1);
  }
  world_.mend();
  ASSERT_TRUE(world_.pass_until([&] { return healthy_with("2"); })) << world_.debug_page();
  EXPECT_THAT(world_.weights_written, SizeIs(4));
}

// Any answer may be lost after the request took effect, and any write may meet a conflict.
// Its stores may be older than its lease, and nothing but asking would tell.
TEST_F(Operator, ANewLeaderLooksAtTheClusterAnewBeforeItDecides) {
  serve("1");
  world_.start_operator();
  world_.pass(absl::Seconds(5));
  world_.silence_standbys();
  world_.apply(version("1", 3));
  ASSERT_TRUE(world_.pass_until([&] { return world_.object().status.stable->available == 3; }));
  world_.kill_leader();
  ASSERT_TRUE(world_.pass_until([&] { return world_.leaders() == 1; }));
  world_.apply(version("2", 3));
  // Long before the server would end those watches by itself.
  EXPECT_TRUE(world_.pass_until([&] { return world_.object().status.canary.has_value(); }, absl::Minutes(1)))
      << world_.debug_page();
}

TEST_F(Operator, EndsWellWhenAnswersGetLostAndWritesConflict) {
  serve("1");
  const std::string first = world_.object().status.stable->revision;
  uint64_t requests = 0;
  world_.api_server.intercept = [&](const net::HttpRequest& request) -> std::optional<kube::FakeApiServer::Answer> {
    const bool lease = request.url.find("/leases/") != std::string::npos;
    world_.api_server.lose_answers = !lease && ++requests % 3 == 0;
    if (!lease && request.method != "GET" && requests % 5 == 0) {
      return kube::FakeApiServer::status_answer(409, "Conflict", "the object has been modified");
    }
    return std::nullopt;
  };
  world_.apply(version("2"));
  EXPECT_TRUE(world_.pass_until([&] { return healthy_with("2"); }, absl::Hours(1))) << world_.debug_page();
  EXPECT_THAT(world_.weights_written, SizeIs(4)) << "no step was skipped or repeated";
  world_.api_server.intercept = nullptr;
  world_.api_server.lose_answers = false;
}

TEST_F(Operator, TakesBackABadVersionAlsoWhereItMayNotSaveItsEvidence) {
  serve("1");
  world_.api_server.intercept = [](const net::HttpRequest& request) -> std::optional<kube::FakeApiServer::Answer> {
    if (request.method == "GET" || request.url.find("/configmaps") == std::string::npos) return std::nullopt;
    return kube::FakeApiServer::status_answer(403, "Forbidden", "exceeded quota");
  };
  world_.behaviours["3"] = {.errors = 0.3, .milliseconds = 10};
  world_.apply(version("3"));
  EXPECT_TRUE(world_.pass_until([&] { return world_.object().status.phase == Phase::kRolledBack; }))
      << world_.debug_page();
  world_.api_server.intercept = nullptr;
}

TEST_F(Operator, LeavesAConfigMapAloneThatItsObjectDoesNotOwn) {
  serve("1");
  const nlohmann::json theirs = {
      {"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "x"}, {"uid", "u"}, {"controller", true}};
  world_.api_server.put(
      kube::resources::config_maps(),
      {{"metadata",
        {{"name", "digits-evidence"}, {"namespace", "demo"}, {"ownerReferences", nlohmann::json::array({theirs})}}},
       {"data", {{"evidence.json", "mine"}}}});
  world_.apply(version("2"));
  EXPECT_TRUE(world_.pass_until([&] { return healthy_with("2"); })) << world_.debug_page();
  const auto config_map = *world_.api_server.get(kube::resources::config_maps(), {"demo", "digits-evidence"});
  EXPECT_EQ(config_map["data"]["evidence.json"], "mine");
  EXPECT_EQ(config_map["metadata"]["ownerReferences"], nlohmann::json::array({theirs}));
}

// Each look fails at its last step, which must not keep the canary from being judged.
TEST_F(Operator, KeepsItsTimesWhereWhatItAsksForIsRefused) {
  world_.api_server.intercept = [](const net::HttpRequest& request) -> std::optional<kube::FakeApiServer::Answer> {
    if (request.method != "POST" || request.url.find("/services") == std::string::npos) return std::nullopt;
    return kube::FakeApiServer::status_answer(403, "Forbidden", "exceeded quota: services");
  };
  serve("1");
  EXPECT_THAT(world_.event_reasons(), Contains("AddressRefused"));
  world_.apply(version("2"));
  EXPECT_TRUE(world_.pass_until([&] { return healthy_with("2"); }, absl::Minutes(5))) << world_.debug_page();
  world_.api_server.intercept = nullptr;
}

TEST_F(Operator, LeavesADeletedObjectAloneAndServesItsSuccessor) {
  serve("1");
  world_.erase();
  world_.pass(absl::Seconds(10));
  const size_t requests = world_.api_server.log.size();
  world_.pass(absl::Minutes(1));
  for (size_t i = requests; i < world_.api_server.log.size(); ++i) {
    EXPECT_THAT(world_.api_server.log[i], testing::Not(HasSubstr("demo/")));
  }
  // What the garbage collector of a real cluster would do.
  for (const auto& deployment : world_.api_server.all(kube::resources::deployments())) {
    world_.api_server.erase(kube::resources::deployments(),
                            {"demo", kube::string_at(deployment, {"metadata", "name"})});
  }
  world_.api_server.erase(kube::resources::services(), {"demo", "digits"});
  serve("2");
}

TEST_F(Operator, TellsWhenTheAddressIsTakenAndServesAllTheSame) {
  world_.api_server.put(kube::resources::services(),
                        {{"metadata", {{"name", "digits"}, {"namespace", "demo"}}}, {"spec", {{"type", "ClusterIP"}}}});
  serve("1");
  EXPECT_THAT(world_.event_reasons(), Contains("AddressTaken"));
  const auto service = world_.api_server.get(kube::resources::services(), {"demo", "digits"});
  EXPECT_EQ(kube::string_at(*service, {"spec", "type"}), "ClusterIP") << "it was not ours to change";
}

TEST_F(Operator, PutsBackAnAddressThatWasChanged) {
  serve("1");
  auto service = *world_.api_server.get(kube::resources::services(), {"demo", "digits"});
  service["spec"]["externalName"] = "elsewhere.example.com";
  world_.api_server.put(kube::resources::services(), service);
  EXPECT_TRUE(world_.pass_until([&] {
    return kube::string_at(*world_.api_server.get(kube::resources::services(), {"demo", "digits"}),
                           {"spec", "externalName"}) == "tidegate-gateway-pods.tidegate-system.svc.cluster.local";
  }));
}

TEST_F(Operator, TellsItsStateToPeopleAndToPrometheus) {
  serve("1");
  EXPECT_TRUE(world_.ready());
  EXPECT_THAT(world_.debug_page(), AllOf(HasSubstr("object demo/digits"), HasSubstr("gateway gateway-1 ready")));
  EXPECT_THAT(world_.metrics_page(),
              AllOf(HasSubstr("tidegate_modeldeployments{phase=\"Healthy\"} 1"), HasSubstr("tidegate_leader 1"),
                    HasSubstr("tidegate_rollouts_total{outcome=\"Promoted\"} 1"),
                    HasSubstr("tidegate_store_objects{collection=\"pods\"} 2")));
}

TEST_F(Operator, SaysWhichVersionsThereAreWhenTheWantedOneIsNot) {
  serve("1");
  world_.apply(version("9"));
  ASSERT_TRUE(world_.pass_until([&] {
    const auto* resolved = world_.condition(api::kModelResolved);
    return resolved != nullptr && resolved->reason == "VersionNotFound";
  })) << world_.debug_page();
  const auto* resolved = world_.condition(api::kModelResolved);
  EXPECT_EQ(resolved->status, api::ConditionStatus::kFalse);
  EXPECT_THAT(resolved->message, AllOf(HasSubstr("1"), HasSubstr("2"), HasSubstr("3")));
  EXPECT_EQ(world_.object().status.stable->available, 2);
  world_.put_version("9");
  EXPECT_TRUE(world_.pass_until([&] { return healthy_with("9"); })) << world_.debug_page();
}

TEST_F(Operator, KeepsServingWhileTheStoreRefusesOrIsDown) {
  serve("1");
  world_.network.store_fault = {403, "InvalidAccessKeyId"};
  world_.apply(version("2"));
  ASSERT_TRUE(world_.pass_until([&] {
    const auto* resolved = world_.condition(api::kModelResolved);
    return resolved != nullptr && resolved->reason == "AccessDenied";
  })) << world_.debug_page();
  EXPECT_THAT(world_.condition(api::kModelResolved)->message, HasSubstr("the store says no"));
  world_.network.store_fault = {503, "SlowDown"};
  ASSERT_TRUE(world_.pass_until([&] { return world_.condition(api::kModelResolved)->reason == "StoreUnreachable"; }));
  EXPECT_EQ(world_.object().status.stable->available, 2);
  world_.network.store_fault.reset();
  EXPECT_TRUE(world_.pass_until([&] { return healthy_with("2"); })) << world_.debug_page();
}

TEST_F(Operator, NamesTheSecretOrTheRuntimeThatIsMissing) {
  serve("1");
  auto spec = version("2");
  spec["model"]["credentials"]["secretName"] = "nobodys";
  world_.apply(spec);
  ASSERT_TRUE(world_.pass_until([&] { return world_.condition(api::kModelResolved)->reason == "AccessDenied"; }));
  EXPECT_THAT(world_.condition(api::kModelResolved)->message, HasSubstr("Secret demo/nobodys"));
  spec = version("2");
  spec["runtime"]["name"] = "nobodys";
  world_.apply(spec);
  ASSERT_TRUE(world_.pass_until([&] { return world_.condition(api::kModelResolved)->reason == "RuntimeNotFound"; }));
  EXPECT_THAT(world_.condition(api::kModelResolved)->message, HasSubstr("nobodys"));
  EXPECT_EQ(world_.object().status.stable->available, 2);
}

TEST_F(Operator, AnEditedRuntimeIsRolledOutOnlyWhereTheObjectFollowsIt) {
  serve("1");
  const std::string made = world_.object().status.stable->revision;
  auto runtime = *world_.api_server.get(cluster_serving_runtimes(), {"", "tensorflow"});
  runtime["spec"]["container"]["image"] = "tidegate.local/runtime-tensorflow:next";
  world_.api_server.put(cluster_serving_runtimes(), runtime);
  world_.pass(absl::Minutes(1));
  EXPECT_EQ(world_.object().status.stable->revision, made);
  EXPECT_FALSE(world_.object().status.canary.has_value());
  auto spec = version("1");
  spec["runtime"]["follow"] = true;
  world_.apply(spec);
  ASSERT_TRUE(world_.pass_until([&] { return healthy_with("1") && world_.object().status.stable->revision != made; }))
      << world_.debug_page();
}

TEST_F(Operator, RefusesAVersionThatWasReplacedInTheStore) {
  serve("1");
  world_.put_version("1", "other bytes");
  ASSERT_TRUE(world_.pass_until([&] { return world_.condition(api::kModelResolved)->reason == "DigestChanged"; }));
  EXPECT_EQ(world_.object().status.stable->available, 2);
  EXPECT_THAT(world_.weights_written, SizeIs(1));
}

TEST_F(Operator, QuarantinesAModelThatDoesNotLoad) {
  serve("1");
  world_.broken["3"] = "no MetaGraph with the tag serve";
  world_.apply(version("3"));
  ASSERT_TRUE(world_.pass_until([&] { return !world_.object().status.quarantined.empty(); })) << world_.debug_page();
  const auto* ready = world_.condition(api::kRuntimeReady);
  EXPECT_EQ(ready->reason, "ModelLoadFailed");
  EXPECT_THAT(ready->message, HasSubstr("tag serve"));
  EXPECT_THAT(world_.weights_written, SizeIs(1)) << "nobody was sent there";
}

TEST_F(Operator, ShowsWhyTheSchedulerFindsNoPlace) {
  world_.pods_can_be_scheduled = false;
  world_.apply(version("1"));
  ASSERT_TRUE(world_.pass_until([&] {
    const auto* capacity = world_.condition(api::kCapacityAvailable);
    return capacity != nullptr && capacity->status == api::ConditionStatus::kFalse;
  })) << world_.debug_page();
  EXPECT_THAT(world_.condition(api::kCapacityAvailable)->message, HasSubstr("Insufficient nvidia.com/gpu"));
}

TEST_F(Operator, FollowsTheHighestVersionWhenAskedForTheLatest) {
  auto latest = version("latest");
  latest["model"]["pollInterval"] = "10s";
  world_.apply(latest);
  ASSERT_TRUE(world_.pass_until([&] { return healthy_with("3"); })) << world_.debug_page();
  world_.put_version("4");
  EXPECT_TRUE(world_.pass_until([&] { return healthy_with("4"); })) << world_.debug_page();
}

TEST_F(Operator, LooksLessAndLessOftenAtAVersionThatStaysTheSame) {
  serve("1");
  const int before = world_.network.listings;
  world_.pass(absl::Hours(1));
  EXPECT_THAT(world_.network.listings - before, testing::AllOf(testing::Ge(6), testing::Le(10)));
  // A look that finds something else begins anew, within ten times the interval.
  world_.put_version("1", "other");
  ASSERT_TRUE(world_.pass_until([&] { return world_.condition(api::kModelResolved)->reason == "DigestChanged"; },
                                absl::Minutes(11)));
  const int changed = world_.network.listings;
  world_.pass(absl::Minutes(4));
  EXPECT_GE(world_.network.listings - changed, 2);
}

TEST_F(Operator, AbortsAndPromotesWhenAPersonSaysSo) {
  serve("1");
  auto paused = version("2");
  paused["rollout"]["steps"][0]["pause"] = nlohmann::json::object();
  world_.apply(paused);
  ASSERT_TRUE(world_.pass_until([&] { return world_.object().status.phase == Phase::kPaused; })) << world_.debug_page();
  world_.annotate(api::kAbortAnnotation, world_.object().status.canary->revision);
  ASSERT_TRUE(world_.pass_until([&] { return !world_.object().status.canary.has_value(); })) << world_.debug_page();
  EXPECT_EQ(world_.object().status.history.back().outcome, api::Outcome::kAborted);
  EXPECT_EQ(world_.object().status.stable->version, "1");
}

TEST_F(Operator, WaitsWithItsVerdictWhileNoGatewayCanBeRead) {
  serve("1");
  world_.apply(version("2"));
  ASSERT_TRUE(world_.pass_until([&] { return world_.object().status.canary.has_value(); }));
  world_.network.gateways_reachable = false;
  world_.pass(absl::Minutes(5));
  ASSERT_TRUE(world_.object().status.canary.has_value()) << "no measurement is no pass";
  EXPECT_LE(world_.object().status.canary->weight, 10);
  world_.network.gateways_reachable = true;
  EXPECT_TRUE(world_.pass_until([&] { return healthy_with("2"); })) << world_.debug_page();
}

TEST_F(Operator, SaysWhichHostItCouldNotGive) {
  auto spec = version("1");
  spec["traffic"] = {{"hosts", {"digits.demo.svc.cluster.local"}}};
  world_.apply(spec);
  ASSERT_TRUE(world_.pass_until([&] {
    const auto* verified = world_.condition(api::kTrafficVerified);
    return verified != nullptr && verified->reason == "HostRefused";
  })) << world_.debug_page();
  EXPECT_THAT(world_.condition(api::kTrafficVerified)->message, HasSubstr("digits.demo.svc.cluster.local"));
  world_.apply(version("1"));
  EXPECT_TRUE(world_.pass_until([&] { return world_.condition(api::kTrafficVerified)->reason == "Verified"; }));
}

TEST_F(Operator, SaysWhyTheApiServerRefusedAPod) {
  serve("1");
  world_.api_server.intercept = [](const net::HttpRequest& request) -> std::optional<kube::FakeApiServer::Answer> {
    if (request.method != "POST" || request.url.find("/deployments") == std::string::npos) return std::nullopt;
    return kube::FakeApiServer::status_answer(422, "Invalid", "requests must not exceed limits");
  };
  world_.apply(version("2"));
  ASSERT_TRUE(world_.pass_until([&] { return world_.condition(api::kRuntimeReady)->reason == "CreateFailed"; }))
      << world_.debug_page();
  EXPECT_THAT(world_.object().status.summary, HasSubstr("requests must not exceed limits"));
  EXPECT_EQ(world_.object().status.stable->available, 2);
  world_.api_server.intercept = nullptr;
  EXPECT_TRUE(world_.pass_until([&] { return healthy_with("2"); })) << world_.debug_page();
}

}  // namespace
}  // namespace tidegate::operator_
