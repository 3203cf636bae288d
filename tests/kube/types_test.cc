#include "kube/types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/resource.h"
#include "kube/watch_event.h"

namespace tidegate::kube {
namespace {

Json json(const char* text) { return Json::parse(text); }

TEST(Types, DecodeAPodThatCannotBeScheduled) {
  const auto pod = decode_pod(json(R"({
    "metadata": {"namespace": "demo", "name": "digits-1", "uid": "u", "resourceVersion": "9",
                 "labels": {"tidegate.dev/revision": "digits-0a1b2c3d"},
                 "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"},
                 "ownerReferences": [{"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "x"},
                                     {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "y",
                                      "controller": true}]},
    "status": {"phase": "Pending", "conditions": [
      {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}
  })"));
  ASSERT_TRUE(pod.ok()) << pod.status();
  EXPECT_EQ(pod->meta.key(), (base::ObjectKey{"demo", "digits-1"}));
  EXPECT_EQ(pod->meta.label("tidegate.dev/revision"), "digits-0a1b2c3d");
  EXPECT_EQ(pod->meta.label("none"), "");
  EXPECT_THAT(pod->meta.annotations, ::testing::ElementsAre(::testing::Pair("kept", "yes")));
  EXPECT_EQ(pod->meta.controller->uid, "y");
  ASSERT_NE(pod->condition("PodScheduled"), nullptr);
  EXPECT_EQ(pod->condition("PodScheduled")->reason, "Unschedulable");
  EXPECT_FALSE(pod->ready);
  EXPECT_FALSE(pod->has_ended());
}

TEST(Types, DecodeWhyAContainerFailed) {
  const auto pod = decode_pod(json(R"({
    "metadata": {"namespace": "demo", "name": "digits-1", "deletionTimestamp": "2026-11-21T08:00:00Z"},
    "spec": {"nodeName": "tidegate-a"},
    "status": {"phase": "Pending", "podIP": "10.0.0.7",
      "initContainerStatuses": [{"name": "fetch", "restartCount": 2, "containerID": "containerd://f",
        "state": {"terminated": {"exitCode": 3, "reason": "Error", "message": "{\"error\":\"AccessDenied\"}"}}}],
      "containerStatuses": [{"name": "runtime", "ready": false, "restartCount": 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-21T08:00:00Z"}}}]}
  })"));
  ASSERT_TRUE(pod.ok()) << pod.status();
  EXPECT_TRUE(pod->meta.deleted.has_value());
  EXPECT_EQ(pod->node_name, "tidegate-a");
  const ContainerStatus* fetch = pod->container("fetch");
  ASSERT_NE(fetch, nullptr);
  EXPECT_TRUE(fetch->init);
  EXPECT_EQ(fetch->state, ContainerStatus::State::kTerminated);
  EXPECT_EQ(fetch->exit_code, 3);
  EXPECT_EQ(fetch->message, R"({"error":"AccessDenied"})");
  const ContainerStatus* runtime = pod->container("runtime");
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(runtime->reason, "CrashLoopBackOff");
  ASSERT_TRUE(runtime->last_termination.has_value());
  EXPECT_EQ(runtime->last_termination->reason, "OOMKilled");
  EXPECT_FALSE(pod->has_ended());
}

TEST(Types, APodHasEndedWhenItsContainersHave) {
  Json running = json(R"({"metadata": {"name": "p"}, "status": {"phase": "Running", "containerStatuses": [
      {"name": "a", "state": {"terminated": {"exitCode": 0}}}, {"name": "b", "state": {"running": {}}}]}})");
  EXPECT_FALSE(decode_pod(running)->has_ended());
  running["status"]["containerStatuses"][1]["state"] = {{"terminated", {{"exitCode", 0}}}};
  EXPECT_TRUE(decode_pod(running)->has_ended());
  EXPECT_TRUE(decode_pod(json(R"({"metadata": {"name": "p"}, "status": {"phase": "Failed"}})"))->has_ended());
}

TEST(Types, DecodeADeployment) {
  const auto deployment = decode_deployment(json(R"({
    "metadata": {"namespace": "demo", "name": "web", "generation": 4},
    "spec": {"replicas": 3},
    "status": {"observedGeneration": 4, "replicas": 3, "readyReplicas": 2, "availableReplicas": 2, "updatedReplicas": 3,
               "unavailableReplicas": 1, "conditions": [{"type": "Progressing", "status": "True"}]}})"));
  ASSERT_TRUE(deployment.ok());
  EXPECT_EQ(deployment->spec_replicas, 3);
  EXPECT_EQ(deployment->ready_replicas, 2);
  EXPECT_EQ(deployment->meta.generation, 4);
  EXPECT_NE(deployment->condition("Progressing"), nullptr);
  EXPECT_EQ(decode_deployment(json(R"({"metadata": {"name": "web"}, "spec": {}})"))->spec_replicas, 1);
}

TEST(Types, UndoTheBase64OfSecretsAndRefuseWhatIsNone) {
  const auto secret = decode_secret(json(R"({"metadata": {"namespace": "demo", "name": "s"}, "type": "Opaque",
                                             "data": {"key": "bWluaW8=", "empty": ""}})"));
  ASSERT_TRUE(secret.ok()) << secret.status();
  EXPECT_EQ(secret->data.at("key"), "minio");
  EXPECT_EQ(secret->data.at("empty"), "");
  EXPECT_FALSE(decode_secret(json(R"({"metadata": {"name": "s"}, "data": {"key": "!!"}})")).ok());
}

TEST(Types, DecodeWhatANodeOffers) {
  const auto node = decode_node(json(R"({"metadata": {"name": "tidegate-a"},
    "spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}], "unschedulable": true},
    "status": {"allocatable": {"cpu": "2", "nvidia.com/gpu": "2"},
               "conditions": [{"type": "Ready", "status": "True"}]}})"));
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->allocatable.at("nvidia.com/gpu"), "2");
  EXPECT_EQ(node->taints.at(0).effect, "NoSchedule");
  EXPECT_TRUE(node->ready);
  EXPECT_TRUE(node->unschedulable);
}

TEST(Types, CarryALeaseThereAndBack) {
  Lease lease;
  lease.meta.ns = "tidegate-system";
  lease.meta.name = "tidegate-operator";
  lease.meta.resource_version = "12";
  lease.holder = "operator-0";
  lease.duration_seconds = 15;
  lease.transitions = 4;
  lease.renewed = absl::FromUnixMicros(1'700'000'000'123'456);
  const Json encoded = encode_lease(lease);
  EXPECT_EQ(string_at(encoded, {"spec", "renewTime"}), "2023-11-14T22:13:20.123456Z");
  const auto back = decode_lease(encoded);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->holder, "operator-0");
  EXPECT_EQ(back->renewed, lease.renewed);
  EXPECT_EQ(back->transitions, 4);
  lease.holder.clear();
  EXPECT_TRUE(encode_lease(lease)["spec"]["holderIdentity"].is_null()) << "the API refuses an empty holder";
}

TEST(Types, RefuseAnObjectWithoutAName) {
  EXPECT_FALSE(decode_pod(json(R"({"metadata": {}})")).ok());
  EXPECT_FALSE(decode_config_map(json("[]")).ok());
}

TEST(Types, SurviveFieldsOfAnotherType) {
  const auto pod = decode_pod(json(R"({"metadata": {"name": "p", "labels": [1], "generation": "x"}, "status": 7})"));
  ASSERT_TRUE(pod.ok());
  EXPECT_TRUE(pod->meta.labels.empty());
}

TEST(Types, ParseQuantities) {
  EXPECT_DOUBLE_EQ(*parse_quantity("2"), 2);
  EXPECT_DOUBLE_EQ(*parse_quantity("500m"), 0.5);
  EXPECT_DOUBLE_EQ(*parse_quantity("1Gi"), 1073741824.0);
  EXPECT_DOUBLE_EQ(*parse_quantity("1.5k"), 1500);
  EXPECT_DOUBLE_EQ(*parse_quantity("1e3"), 1000);
  for (const char* text : {"", "x", "1Gib", "nan", "inf", "0x10"}) EXPECT_FALSE(parse_quantity(text).ok()) << text;
}

TEST(Resource, MakesThePathsOfTheApi) {
  EXPECT_EQ(resources::pods().path("demo", "p"), "/api/v1/namespaces/demo/pods/p");
  EXPECT_EQ(resources::deployments().path("demo", "web", "scale"),
            "/apis/apps/v1/namespaces/demo/deployments/web/scale");
  EXPECT_EQ(resources::pods().path(""), "/api/v1/pods");
  EXPECT_EQ(resources::nodes().path("ignored", "n"), "/api/v1/nodes/n");
  EXPECT_EQ(resources::pods().path("demo", "../x"), "/api/v1/namespaces/demo/pods/..%2Fx");
}

TEST(Resource, ReadsAVersionAsANumber) {
  EXPECT_EQ(resource_version_number("42"), 42u);
  EXPECT_EQ(resource_version_number(""), 0u);
  EXPECT_EQ(resource_version_number("x"), 0u);
}

TEST(LineDecoder, GivesTheSameLinesForAnyCutting) {
  const std::string stream = "{\"a\":1}\n\n{\"b\":2}\nrest";
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    LineDecoder decoder;
    std::vector<std::string> lines;
    for (size_t at = 0; at < stream.size(); at += piece) {
      decoder.feed(std::string_view(stream).substr(at, piece), [&](std::string_view line) {
        lines.emplace_back(line);
        return true;
      });
    }
    EXPECT_THAT(lines, ::testing::ElementsAre("{\"a\":1}", "{\"b\":2}"));
    EXPECT_EQ(decoder.pending_bytes(), 4u);
  }
}

TEST(LineDecoder, RefusesALineWithoutEnd) {
  LineDecoder decoder;
  const std::string piece(1 << 20, 'x');
  bool accepted = true;
  for (int i = 0; i < 40 && accepted; ++i) accepted = decoder.feed(piece, [](std::string_view) { return true; });
  EXPECT_FALSE(accepted);
}

}  // namespace
}  // namespace tidegate::kube
