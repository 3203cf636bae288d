#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "golden.h"
#include "operator/rendering/accelerator.h"
#include "operator/rendering/names.h"
#include "operator/rendering/revision.h"
#include "operator/rendering/workload.h"
#include "samples.h"

namespace tidegate::operator_ {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::shared_ptr<const api::ServingRuntime> runtime_with_image(const std::string& image) {
  api::ServingRuntime runtime = sample_runtime();
  runtime.spec.container.image = image;
  return std::make_shared<api::ServingRuntime>(runtime);
}

RevisionInput sample_input() {
  return revision_input(sample_object(), sample_source(), std::make_shared<api::ServingRuntime>(sample_runtime()));
}

nlohmann::json deployment(const RevisionInput& input) {
  return render_deployment(input, revision_name(input), "uid-1", 2);
}

TEST(Rendering, ACpuModelLooksLikeThis) { expect_golden("deployment_cpu", deployment(sample_input())); }

TEST(Rendering, AGpuModelAsksForItsDevicesAndToleratesTheirTaint) {
  RevisionInput input = sample_input();
  input.accelerator = {api::AcceleratorType::kGpu, "", 2, "NVIDIA-L4", ""};
  expect_golden("deployment_gpu", deployment(input));
}

TEST(Rendering, ATpuModelSelectsItsSlice) {
  RevisionInput input = sample_input();
  input.accelerator = {api::AcceleratorType::kTpu, "", 4, "tpu-v5-lite-podslice", "2x2"};
  input.credentials_secret.clear();
  expect_golden("deployment_tpu", deployment(input));
}

TEST(Rendering, TheAddressIsAnotherNameOfTheGateway) {
  expect_golden("service",
                render_service(sample_object().metadata, "tidegate-gateway.tidegate-system.svc.cluster.local"));
}

TEST(Rendering, TheObjectsEnvironmentArgumentsAndResourcesExtendTheRuntimes) {
  RevisionInput input = sample_input();
  input.runtime_overrides.env = {{"MODEL", "other"}, {"EXTRA", "{{model.dir}}"}};
  input.runtime_overrides.args = {"--version={{model.version}}"};
  input.runtime_overrides.resources.requests = {{"memory", "1Gi"}};
  const nlohmann::json container = deployment(input)["spec"]["template"]["spec"]["containers"][0];
  EXPECT_EQ(container["env"], nlohmann::json::parse(R"([{"name": "TF_CPP_MIN_LOG_LEVEL", "value": "1"},
      {"name": "MODEL", "value": "other"}, {"name": "EXTRA", "value": "/models/digits"}])"));
  EXPECT_EQ(container["args"].back(), "--version=3");
  EXPECT_EQ(container["resources"]["requests"], nlohmann::json::parse(R"({"cpu": "100m", "memory": "1Gi"})"));
}

TEST(Rendering, AModelInTheRootOfABucketIsFetchedFromThere) {
  RevisionInput input = sample_input();
  input.source.uri = "s3://models/";
  const nlohmann::json args = deployment(input)["spec"]["template"]["spec"]["initContainers"][0]["args"];
  EXPECT_EQ(args[1], "--uri=s3://models/3");
}

TEST(Accelerators, KnowTheLabelsOfTheirNodes) {
  using api::AcceleratorType;
  EXPECT_EQ(accelerator_request({AcceleratorType::kNone, "", 1, "", ""}), AcceleratorRequest{});
  EXPECT_EQ(accelerator_request({AcceleratorType::kGpu, "", 1, "", ""}), (AcceleratorRequest{"nvidia.com/gpu", 1, {}}));
  EXPECT_EQ(accelerator_request({AcceleratorType::kGpu, "amd.com/gpu", 1, "MI300X", ""}),
            (AcceleratorRequest{"amd.com/gpu", 1, {{"amd.com/gpu.product-name", "MI300X"}}}));
  EXPECT_EQ(accelerator_request({AcceleratorType::kGpu, "nvidia.com/mig-1g.10gb", 1, "A100", ""}),
            (AcceleratorRequest{"nvidia.com/mig-1g.10gb", 1, {{"nvidia.com/gpu.product", "A100"}}}));
  EXPECT_EQ(accelerator_request({AcceleratorType::kCustom, "habana.ai/gaudi", 8, "", ""}),
            (AcceleratorRequest{"habana.ai/gaudi", 8, {}}));
  EXPECT_EQ(accelerator_request({AcceleratorType::kTpu, "", 4, "v5e", "2x2"}),
            (AcceleratorRequest{
                "google.com/tpu",
                4,
                {{"cloud.google.com/gke-tpu-accelerator", "v5e"}, {"cloud.google.com/gke-tpu-topology", "2x2"}}}));
}

TEST(Revision, IsNamedAfterWhatItsPodsAreMadeOf) {
  const RevisionInput input = sample_input();
  EXPECT_THAT(revision_name(input), testing::MatchesRegex("digits-[0-9a-f]{8}"));
  EXPECT_EQ(revision_name(input), revision_name(sample_input()));

  std::vector<RevisionInput> changed(6, input);
  changed[0].source = sample_source("4");
  changed[1].runtime_overrides.args = {"--x"};
  changed[2].accelerator.type = api::AcceleratorType::kGpu;
  changed[3].credentials_secret = "other";
  changed[4].runtime = runtime_with_image("other");
  changed[5].source.source_digest = std::string(64, 'f');
  for (const RevisionInput& other : changed) EXPECT_NE(revision_name(other), revision_name(input));
}

TEST(Revision, IsNotChangedByHowItIsRolledOut) {
  api::ModelDeployment object = sample_object();
  const RevisionInput before = sample_input();
  object.spec.rollout.steps.clear();
  object.spec.traffic.timeout = absl::Seconds(1);
  object.spec.replicas = 9;
  object.spec.paused = true;
  object.spec.runtime.follow = true;
  object.spec.model.poll_interval = absl::Seconds(1);
  EXPECT_EQ(revision_name(revision_input(object, sample_source(), before.runtime)), revision_name(before));
}

class WantedRevision : public testing::Test {
 protected:
  RevisionInput input_ = sample_input();
  std::string made_ = revision_name(input_);
  std::vector<RecordedRevision> recorded_{{made_, request_hash(input_), runtime_hash(*input_.runtime)}};
  RevisionFinder finder_;
};

TEST_F(WantedRevision, StaysWhenTheRuntimeIsEdited) {
  input_.runtime = runtime_with_image("newer");
  EXPECT_NE(revision_name(input_), made_);
  EXPECT_EQ(finder_.wanted(input_, false, recorded_), made_);
}

TEST_F(WantedRevision, FollowsAnEditedRuntimeWhereTheObjectAsksForIt) {
  EXPECT_EQ(finder_.wanted(input_, true, recorded_), made_);
  input_.runtime = runtime_with_image("newer");
  EXPECT_EQ(finder_.wanted(input_, true, recorded_), revision_name(input_));
}

TEST_F(WantedRevision, IsAnsweredAlikeHoweverOftenItIsAskedFor) {
  for (int i = 0; i < 2; ++i) EXPECT_EQ(finder_.wanted(input_, false, {}), made_);
  input_.runtime_overrides.args = {"--x"};
  for (int i = 0; i < 2; ++i) EXPECT_EQ(finder_.wanted(input_, false, recorded_), revision_name(input_));
  RevisionInput namesake = input_;
  namesake.namespace_ = "elsewhere";
  EXPECT_EQ(finder_.wanted(namesake, false, {}), revision_name(namesake));
  EXPECT_EQ(finder_.wanted(input_, false, {}), revision_name(input_)) << "one does not stand for the other";
}

TEST_F(WantedRevision, IsANewOneWhenTheObjectAsksForSomethingElse) {
  input_.source = sample_source("4");
  EXPECT_EQ(finder_.wanted(input_, false, recorded_), revision_name(input_));
  EXPECT_NE(revision_name(input_), made_);
}

}  // namespace
}  // namespace tidegate::operator_
