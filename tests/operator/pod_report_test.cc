#include "operator/controllers/modeldeployment/pod_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate::operator_ {
namespace {

using rollout::PodFailureKind;
using testing::HasSubstr;

const absl::Time kFrom = absl::FromUnixSeconds(1'000'000);

kube::Pod pod_with(kube::ContainerStatus container) {
  kube::Pod pod;
  pod.meta.name = "digits-1-x";
  pod.phase = "Running";
  pod.containers = {std::move(container)};
  return pod;
}

kube::ContainerStatus ended(const std::string& name, bool init, int exit_code, const std::string& message) {
  kube::ContainerStatus container;
  container.name = name;
  container.init = init;
  container.state = kube::ContainerStatus::State::kTerminated;
  container.reason = exit_code == 0 ? "Completed" : "Error";
  container.exit_code = exit_code;
  container.message = message;
  return container;
}

TEST(PodReport, TellsAFetchThatFailedInItsOwnWords) {
  const auto failure = pod_failure(
      pod_with(ended("fetch", true, 1, R"({"error":"CorruptObject","message":"variables.data: digest differs"})")));
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->kind, PodFailureKind::kFetchFailed);
  EXPECT_EQ(failure->reason, "CorruptObject");
  EXPECT_EQ(failure->message, "variables.data: digest differs");
}

TEST(PodReport, TellsAModelThatDoesNotLoadAlsoWhileTheContainerIsStartedAgain) {
  kube::ContainerStatus container;
  container.name = "runtime";
  container.state = kube::ContainerStatus::State::kWaiting;
  container.reason = "CrashLoopBackOff";
  container.restart_count = 2;
  container.last_termination = {"Error", R"({"error":"ModelLoadFailed","message":"no tag serve"})", 1, kFrom};
  const auto failure = pod_failure(pod_with(container));
  EXPECT_EQ(failure->kind, PodFailureKind::kModelLoadFailed);
  EXPECT_EQ(failure->message, "no tag serve");
  container.state = kube::ContainerStatus::State::kRunning;
  EXPECT_TRUE(pod_failure(pod_with(container)).has_value());
  container.ready = true;
  EXPECT_FALSE(pod_failure(pod_with(container)).has_value());
}

TEST(PodReport, TellsCrashesWithoutWordsOfTheirOwn) {
  kube::ContainerStatus container = ended("runtime", false, 139, "");
  container.restart_count = 3;
  const auto crash = pod_failure(pod_with(container));
  EXPECT_EQ(crash->kind, PodFailureKind::kCrashLoop);
  EXPECT_EQ(crash->reason, "CrashLoopBackOff");
  EXPECT_THAT(crash->message, HasSubstr("exit code 139"));
  container.reason = "OOMKilled";
  EXPECT_EQ(pod_failure(pod_with(container))->reason, "OOMKilled");
}

TEST(PodReport, DoesNotTakeOneRestartForACrashLoop) {
  kube::ContainerStatus container;
  container.name = "runtime";
  container.state = kube::ContainerStatus::State::kRunning;
  container.restart_count = 1;
  container.last_termination = {"Error", "", 255, kFrom};  // the node was restarted
  EXPECT_FALSE(pod_failure(pod_with(container)).has_value());
  container.restart_count = 2;
  EXPECT_TRUE(pod_failure(pod_with(container)).has_value());
}

TEST(PodReport, SaysNothingOfPodsThatWereReplacedAndAreOnlyRemembered) {
  auto evicted = std::make_shared<kube::Pod>();
  evicted->phase = "Failed";
  evicted->reason = "Evicted";
  EXPECT_THAT(report_of({evicted}, Serving({evicted})).failures, testing::IsEmpty());
}

TEST(PodReport, TellsImagesAndPlacesThatAreMissing) {
  kube::ContainerStatus container;
  container.name = "runtime";
  container.state = kube::ContainerStatus::State::kWaiting;
  container.reason = "ImagePullBackOff";
  EXPECT_EQ(pod_failure(pod_with(container))->kind, PodFailureKind::kImagePull);

  // A Secret that is late, a runtime that is busy: it may pass.
  container.reason = "CreateContainerConfigError";
  EXPECT_EQ(pod_failure(pod_with(container))->kind, PodFailureKind::kNotStarted);

  kube::Pod pending;
  pending.conditions = {{"PodScheduled", "False", "Unschedulable", "0/1 nodes: Insufficient nvidia.com/gpu", kFrom}};
  EXPECT_EQ(pod_failure(pending)->kind, PodFailureKind::kUnschedulable);
  EXPECT_THAT(pod_failure(pending)->message, HasSubstr("nvidia.com/gpu"));
  EXPECT_FALSE(pod_failure(kube::Pod{}).has_value());
}

// What an API server that was away leaves behind: the node controller has heard of no kubelet.
TEST(PodReport, TellsWhyNoPodIsMade) {
  kube::Deployment deployment;
  EXPECT_FALSE(creation_failure(deployment).has_value());
  deployment.conditions = {{"ReplicaFailure", "True", "FailedCreate",
                            "pods \"digits-1-x\" is forbidden: exceeded quota: gpus, requested: …", kFrom}};
  EXPECT_EQ(creation_failure(deployment)->kind, PodFailureKind::kUnschedulable) << "it is waited for";
  deployment.conditions[0].message = "pods \"digits-1-x\" is forbidden: violates PodSecurity \"restricted:latest\"";
  EXPECT_EQ(creation_failure(deployment)->kind, PodFailureKind::kRefused);
  EXPECT_THAT(creation_failure(deployment)->message, HasSubstr("violates PodSecurity"));
  deployment.conditions[0].status = "False";
  EXPECT_FALSE(creation_failure(deployment).has_value());
}

TEST(PodReport, GoesByTheKubeletsLastWordWhenKubernetesCallsEveryPodOfTheObjectNotReady) {
  const auto unheard = [](const std::string& containers_ready) {
    auto pod = std::make_shared<kube::Pod>();
    pod->phase = "Running";
    pod->ip = "10.0.0.1";
    pod->conditions = {{"Ready", "False", "", "", kFrom}, {"ContainersReady", containers_ready, "", "", kFrom}};
    return pod;
  };
  const PodPointers all{unheard("True"), unheard("False")};
  EXPECT_EQ(report_of(all, Serving(all)).serving, 1) << "one of them is not ready by its kubelet's own word";
  auto ready = unheard("True");
  ready->ready = true;
  EXPECT_EQ(report_of(all, Serving({all[0], all[1], ready})).serving, 0) << "there is somewhere else to send to";
  auto leaving = unheard("True");
  leaving->meta.deleted = kFrom;
  EXPECT_EQ(report_of({leaving}, Serving({leaving})).serving, 0);
}

TEST(PodReport, CountsReadyPodsThatStay) {
  auto ready =
      std::make_shared<kube::Pod>(pod_with(ended("fetch", true, 0, R"({"digest":"sha256:abc","bytes":1,"files":1})")));
  ready->ready = true;
  ready->ip = "10.0.0.1";
  auto leaving = std::make_shared<kube::Pod>(*ready);
  leaving->meta.deleted = kFrom;
  const PodReport report = report_of({ready, leaving}, Serving({ready, leaving}));
  EXPECT_EQ(report.serving, 1);
  EXPECT_EQ(report.content_digest, "sha256:abc");
  EXPECT_THAT(report.failures, testing::IsEmpty());
}

}  // namespace
}  // namespace tidegate::operator_
