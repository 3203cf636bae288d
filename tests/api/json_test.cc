#include "api/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "api/fields.h"

namespace tidegate::api {
namespace {

using testing::HasSubstr;

nlohmann::json minimal() {
  return nlohmann::json::parse(R"({
    "metadata": {"name": "resnet", "namespace": "vision", "uid": "u1", "resourceVersion": "42", "generation": 3,
                 "creationTimestamp": "2026-01-02T03:04:05Z", "annotations": {"tidegate.dev/abort": "resnet-1"}},
    "spec": {"model": {"uri": "s3://models/resnet", "version": "7"}}})");
}

TEST(Json, ReadsTheShortFormWithEveryDefault) {
  auto object = parse_model_deployment(minimal());
  ASSERT_TRUE(object.ok()) << object.status();
  EXPECT_EQ(object->metadata.name, "resnet");
  EXPECT_EQ(object->metadata.generation, 3);
  EXPECT_EQ(object->metadata.annotations.at(kAbortAnnotation), "resnet-1");
  ModelDeploymentSpec expected;
  expected.model.uri = "s3://models/resnet";
  expected.model.version = "7";
  EXPECT_EQ(object->spec, expected);
  EXPECT_EQ(object->spec.replicas, 1);
  EXPECT_EQ(object->status, ModelDeploymentStatus());
}

TEST(Json, ReadsBackTheSpecItWrites) {
  ModelDeploymentSpec spec;
  spec.model = {"s3://models/resnet", "latest", absl::Seconds(5), Credentials{"keys"}};
  spec.runtime.env = {{"A", "1"}, {"EMPTY", ""}};
  spec.runtime.resources.limits = {{"memory", "1Gi"}};
  spec.accelerator = {AcceleratorType::kTpu, "", 4, "tpu-v5-lite-podslice", "2x2"};
  spec.replicas = 0;
  spec.rollout.steps[1].pause = Pause{};
  spec.rollout.steps[2].replicas = 3;
  spec.rollout.analysis.checks[1].max_latency = absl::Milliseconds(120);
  spec.rollout.analysis.errors = {ErrorClass::kReset};
  spec.traffic.hosts = {"resnet.example.com"};
  nlohmann::json object = minimal();
  object["spec"] = to_json(spec);
  auto read = parse_model_deployment(object);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->spec, spec);
}

ModelDeploymentStatus full_status() {
  const absl::Time time = absl::FromUnixMillis(1'767'323'045'250);
  ModelDeploymentStatus status;
  status.observed_generation = 3;
  status.phase = Phase::kProgressing;
  status.summary = "version 8 at 25 %";
  status.stable = RevisionStatus{"resnet-1", "7", "abc", "sha256:def", 3, 2};
  CanaryStatus canary;
  canary.revision = "resnet-2";
  canary.version = "8";
  canary.step = 1;
  canary.weight = 25;
  canary.measure_from = time;
  canary.promoted = true;
  status.canary = canary;
  status.draining = {{"resnet-0", "6", time, std::nullopt}};
  status.traffic = {{"resnet-1", 75}, {"resnet-2", 25}};
  status.leader_epoch = 9;
  status.analysis = {{"errors", Verdict::kFail, 0.5, 0.0, -0.25, std::nullopt, 0.01, {10, 20}, 30, "words"}};
  status.quarantined = {{"resnet-9", "9", "", "ChecksFailed", "", time}};
  status.history = {{"resnet-1", "7", "", Outcome::kPromoted, time, time, "Analysis", ""}};
  status.handled_commands = {{"promote", "resnet-1", time}};
  status.conditions = {{kReady, ConditionStatus::kFalse, "Progressing", "", time, 3}};
  return status;
}

TEST(Json, ReadsBackTheStatusItWrites) {
  nlohmann::json object = minimal();
  object["status"] = to_json(full_status());
  auto read = parse_model_deployment(object);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->status, full_status());
}

TEST(Json, IgnoresStatusFieldsOfANewerOperator) {
  nlohmann::json object = minimal();
  object["status"] = {{"phase", "Healthy"}, {"moonPhase", "full"}};
  auto read = parse_model_deployment(object);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->status.phase, Phase::kHealthy);
}

TEST(Json, NamesThePathOfABadField) {
  struct Case {
    std::string pointer;
    nlohmann::json value;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"/spec/rollout",
            {{"steps", {{{"weight", 5}}, {{"weight", "many"}}}}},
            "spec.rollout.steps[1].weight: expected an integer, got \"many\""},
           {"/spec/rollout", {{"steps", {{{"hold", "1s"}}}}}, "spec.rollout.steps[0].weight: is required"},
           {"/spec/rollout", {{"scaleDownDelay", "soon"}}, "spec.rollout.scaleDownDelay: expected a duration"},
           {"/spec/rollout", {{"scaleDownDelay", "-5s"}}, "spec.rollout.scaleDownDelay: expected a duration"},
           {"/spec/rollout", {{"onFailure", "Explode"}}, "expected one of Rollback, Pause, got \"Explode\""},
           {"/spec/replicas", 5'000'000'000, "spec.replicas: expected a 32 bit integer"},
           {"/spec/replicas", 1.5, "spec.replicas: expected an integer"},
           {"/spec/model", "s3://x", "spec.model: expected an object"},
           {"/spec/model/version", nullptr, "spec.model.version: is required"},
           {"/spec", nullptr, "spec.model: is required"},
           {"/metadata", {{"namespace", "x"}}, "metadata.name: is required"},
           {"/status",
            {{"canary", {{"revision", "r"}, {"version", "1"}, {"since", "yesterday"}}}},
            "status.canary.since: expected an RFC 3339 time"},
       }) {
    nlohmann::json object = minimal();
    object[nlohmann::json::json_pointer(c.pointer)] = c.value;
    auto read = parse_model_deployment(object);
    ASSERT_FALSE(read.ok()) << c.message;
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(c.message));
  }
}

TEST(Json, SurvivesAnythingThatIsNoObject) {
  for (const char* text : {"null", "7", "[]", "\"x\"", "{\"metadata\": 1, \"spec\": []}"}) {
    EXPECT_FALSE(parse_model_deployment(nlohmann::json::parse(text)).ok()) << text;
    EXPECT_FALSE(parse_serving_runtime(nlohmann::json::parse(text)).ok()) << text;
  }
}

TEST(Json, ReadsQuantitiesWrittenAsNumbers) {
  nlohmann::json object = minimal();
  object["spec"]["runtime"] = {{"resources", {{"requests", {{"cpu", 1}, {"memory", "1Gi"}}}}}};
  auto read = parse_model_deployment(object);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->spec.runtime.resources.requests, (ResourceList{{"cpu", "1"}, {"memory", "1Gi"}}));
}

TEST(Json, ReadsBothKindsOfRuntime) {
  nlohmann::json object = {{"metadata", {{"name", "tensorflow"}}},
                           {"spec",
                            {{"supportedFormats", {{{"name", "savedmodel"}}}},
                             {"container", {{"image", "a"}}},
                             {"fetch", {{"image", "b"}}}}}};
  auto cluster = parse_serving_runtime(object);
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_TRUE(cluster->cluster_scoped);
  EXPECT_EQ(cluster->spec.probes.readiness, "/v2/health/ready");
  object["metadata"]["namespace"] = "vision";
  EXPECT_FALSE(parse_serving_runtime(object)->cluster_scoped);
}

TEST(Durations, AreWrittenAsKubernetesReadsThem) {
  EXPECT_EQ(format_duration(absl::ZeroDuration()), "0s");
  EXPECT_EQ(format_duration(absl::Minutes(90)), "1h30m");
  EXPECT_EQ(format_duration(absl::Milliseconds(250)), "250ms");
  EXPECT_EQ(*parse_duration("1.5s"), absl::Milliseconds(1500));
  for (const char* bad : {"", "5", "-1s", "inf", "5 s", "1d"}) EXPECT_FALSE(parse_duration(bad).ok()) << bad;
}

TEST(Times, KeepMillisecondsAndNothingFiner) {
  const absl::Time time = absl::FromUnixMicros(1'767'323'045'250'999);
  EXPECT_EQ(format_time(time), "2026-01-02T03:04:05.25Z");
  EXPECT_EQ(*parse_time(format_time(time)), absl::FromUnixMillis(1'767'323'045'250));
  EXPECT_EQ(format_time(absl::FromUnixSeconds(1'767'323'045)), "2026-01-02T03:04:05Z");
  for (const char* bad : {"", "now", "infinite-future", "2026-01-02"}) EXPECT_FALSE(parse_time(bad).ok()) << bad;
}

}  // namespace
}  // namespace tidegate::api
