// Every rule of the webhook: one object that breaks it, with the field's path in what is said, and one that does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/strings.h"
#include "operator/webhooks/judge.h"
#include "operator/webhooks/model_deployment_rules.h"
#include "operator/webhooks/serving_runtime_rules.h"
#include "samples.h"

namespace tidegate::operator_ {
namespace {

using api::ModelDeployment;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

References good_references() {
  References references;
  references.cluster_domain = "cluster.local";
  references.runtimes = {std::make_shared<api::ServingRuntime>(sample_runtime())};
  return references;
}

// "V5 deny spec.traffic.hosts[0]: …"
std::vector<std::string> texts(const Findings& findings) {
  std::vector<std::string> texts;
  for (const Finding& finding : findings) {
    texts.push_back(base::cat(finding.rule, finding.severity == Severity::kDeny ? " deny " : " warn ", finding.path,
                              ": ", finding.message));
  }
  return texts;
}

struct Case {
  std::string begins;  // rule, severity and path
  std::string words;   // in the message
  std::function<void(ModelDeployment&, References&)> spoil;
};

api::Check error_check(double max_increase) {
  api::Check check;
  check.name = "errors";
  check.max_increase = max_increase;
  return check;
}

void use_gpu(ModelDeployment& object) { object.spec.accelerator.type = api::AcceleratorType::kGpu; }

void use_tpu(ModelDeployment& object, int count, const std::string& topology) {
  object.spec.accelerator = {api::AcceleratorType::kTpu, "", count, "", topology};
}

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{
      {"V2 deny spec.model.uri", "s3://bucket/path", [](auto& o, auto&) { o.spec.model.uri = "s3://x_/m"; }},
      {"V3 deny spec.traffic.hosts[0]", "cluster's Services",
       [](auto& o, auto& r) {
         r.cluster_domain = "corp.example";
         o.spec.traffic.hosts = {"api.corp.example"};
       }},
      {"V4 deny spec.traffic.hosts[1]", "own name of ModelDeployment b/a",
       [](auto& o, auto& r) {
         o.spec.traffic.hosts = {"x.example.com", "a.b"};
         r.host_is_name_of["a.b"] = "b/a";
       }},
      {"V5 deny spec.traffic.hosts[0]", "x.example.com: ModelDeployment other/fraud has it",
       [](auto& o, auto& r) {
         o.spec.traffic.hosts = {"x.example.com"};
         r.host_claimed_by["x.example.com"] = "other/fraud";
       }},
      {"V6 deny metadata.name", "digits.demo", [](auto&, auto& r) { r.name_claimed_by = "other/fraud"; }},
      {"V7 deny spec.runtime.resources.requests.memory", "limits.memory",
       [](auto& o, auto&) { o.spec.runtime.resources = {{{"memory", "2Gi"}}, {{"memory", "2047Mi"}}}; }},
      {"V8 deny spec.runtime.resources.limits.a.b/c", "overcommitted",
       [](auto& o, auto&) { o.spec.runtime.resources = {{{"a.b/c", "1"}}, {{"a.b/c", "2"}}}; }},
      {"V8 deny spec.runtime.resources.requests.a.b/c", "needs spec.runtime.resources.limits.a.b/c",
       [](auto& o, auto&) { o.spec.runtime.resources.requests = {{"a.b/c", "1"}}; }},
      {"V8 deny spec.runtime.resources.limits.a.b/c", "whole",
       [](auto& o, auto&) { o.spec.runtime.resources.limits = {{"a.b/c", "500m"}}; }},
      {"V9 deny spec.runtime.resources.limits.cpu", "no Kubernetes quantity",
       [](auto& o, auto&) { o.spec.runtime.resources.limits = {{"cpu", "one"}}; }},
      {"V9 deny spec.runtime.resources.limits.memory", "2^63",
       [](auto& o, auto&) { o.spec.runtime.resources.limits = {{"memory", "9Ei"}}; }},
      {"V9 deny spec.runtime.resources.requests.cpu", "between 0 and",
       [](auto& o, auto&) { o.spec.runtime.resources.requests = {{"cpu", "-1"}}; }},
      {"V10 deny spec.accelerator.count", "4 chips", [](auto& o, auto&) { use_tpu(o, 8, "2x2"); }},
      {"V10 deny spec.accelerator.topology", "no shape", [](auto& o, auto&) { use_tpu(o, 8, "2x99999999999"); }},
      {"W1 warn spec.runtime.name", "there is no ServingRuntime",
       [](auto& o, auto& r) {
         o.spec.runtime.name = "triton";
         r.runtimes.clear();
         r.no_runtime_because = "there is no ServingRuntime triton";
       }},
      {"W2 warn spec.runtime.name", "no runtime that may be chosen",
       [](auto&, auto& r) {
         r.runtimes.clear();
         r.no_runtime_because = "there is no runtime that may be chosen by itself";
       }},
      {"W3 warn spec.replicas", "503", [](auto& o, auto&) { o.spec.replicas = 0; }},
      {"W4 warn spec.rollout.surge", "2 replicas",
       [](auto& o, auto&) {
         use_gpu(o);
         o.spec.rollout.surge = api::Surge::kNever;
       }},
      {"W5 warn spec.rollout.surge", "without an accelerator",
       [](auto& o, auto&) { o.spec.rollout.surge = api::Surge::kAlways; }},
      {"W7 warn spec.rollout.steps", "without analysis", [](auto& o, auto&) { o.spec.rollout.steps.clear(); }},
      {"W8 warn spec.rollout.analysis.checks", "promoted too",
       [](auto& o, auto&) { o.spec.rollout.analysis.checks.clear(); }},
      {"W9 warn spec.rollout.analysis.onInconclusive", "Promote",
       [](auto& o, auto&) { o.spec.rollout.analysis.on_inconclusive = api::OnInconclusive::kPromote; }},
      {"W10 warn spec.rollout.analysis.confidence", "30 %",
       [](auto& o, auto&) { o.spec.rollout.analysis.confidence = 0.7; }},
      {"W11 warn spec.rollout.steps[0].weight", "1 % can be judged",
       [](auto& o, auto&) {
         o.spec.rollout.steps = {{.weight = 1}};
         o.spec.rollout.analysis.checks = {error_check(0.0001)};
         o.spec.rollout.analysis.max_duration = absl::Minutes(30);
       }},
      {"W12 warn spec.rollout.steps[0].replicas", "4 pods or more",
       [](auto& o, auto&) {
         o.spec.replicas = 10;
         o.spec.rollout.steps = {{.weight = 50, .replicas = 3}};
       }},
      {"W12 warn spec.rollout.steps[0].replicas", "more than the 2",
       [](auto& o, auto&) {
         o.spec.replicas = 2;
         o.spec.rollout.steps = {{.weight = 50, .replicas = 3}};
       }},
      {"W13 warn spec.runtime.resources.requests.memory", "Mi",
       [](auto& o, auto&) { o.spec.runtime.resources.requests = {{"memory", "500m"}}; }},
      {"W14 warn spec.runtime.args[1]", "{{model.nmae}}",
       [](auto& o, auto&) { o.spec.runtime.args = {"{{model.name}} {{ messages }}", "--name={{model.nmae}}"}; }},
      {"W14 warn spec.runtime.env[0].value", "{{ model.dir }}",
       [](auto& o, auto&) { o.spec.runtime.env = {{"DIR", "{{ model.dir }}"}}; }},
      {"W15 warn spec.runtime.resources.requests.memory", "limit 2Gi of runtime tensorflow",
       [](auto& o, auto& r) {
         auto runtime = sample_runtime();
         runtime.spec.container.resources.limits = {{"memory", "2Gi"}};
         r.runtimes = {std::make_shared<api::ServingRuntime>(runtime)};
         o.spec.runtime.resources.requests = {{"memory", "3Gi"}};
       }},
      {"W15 warn spec.runtime.resources.limits.memory", "request 512Mi of runtime tensorflow",
       [](auto& o, auto&) { o.spec.runtime.resources.limits = {{"memory", "256Mi"}}; }},
      {"W16 warn spec.traffic.timeout", "within 40s",
       [](auto& o, auto&) { o.spec.traffic.timeout = absl::Seconds(41); }},
      {"W18 warn spec.model.uri", "s3://models/digits/3/3",
       [](auto& o, auto&) { o.spec.model.uri = "s3://models/digits/3"; }},
      {"W19 warn spec.model.pollInterval", "5s", [](auto& o, auto&) { o.spec.model.poll_interval = absl::Seconds(1); }},
      {"W20 warn spec.accelerator.topology", "16 chips", [](auto& o, auto&) { use_tpu(o, 4, "4x4"); }},
      {"W21 warn spec.runtime.resources.limits.nvidia.com/gpu", "spec.accelerator",
       [](auto& o, auto&) { o.spec.runtime.resources.limits = {{"nvidia.com/gpu", "1"}}; }},
  };
  return kCases;
}

TEST(WebhookRules, HaveNothingToSayAboutAnOrdinaryObject) {
  EXPECT_THAT(texts(check_model_deployment(sample_object(), good_references())), IsEmpty());
}

TEST(WebhookRules, SayWhichFieldBreaksWhichRuleAndNothingElse) {
  for (const Case& c : cases()) {
    ModelDeployment object = sample_object();
    References references = good_references();
    c.spoil(object, references);
    EXPECT_THAT(texts(check_model_deployment(object, references)),
                ElementsAre(AllOf(testing::StartsWith(c.begins + ": "), HasSubstr(c.words))))
        << c.begins;
  }
}

TEST(WebhookRules, FitIntoOneLineOfAWarning) {
  for (const Case& c : cases()) {
    ModelDeployment object = sample_object();
    References references = good_references();
    c.spoil(object, references);
    for (const Finding& finding : check_model_deployment(object, references)) {
      EXPECT_LE(finding.path.size() + finding.message.size() + 8, 256u)
          << "the API server cuts it: " << finding.message;
    }
  }
}

TEST(WebhookRules, AllowWhatIsJustWithinTheLimits) {
  const std::vector<std::function<void(ModelDeployment&)>> allowed{
      [](auto& o) {
        o.spec.runtime.resources = {{{"memory", "2Gi"}, {"cpu", "0.3"}}, {{"memory", "2048Mi"}, {"cpu", "300m"}}};
      },
      [](auto& o) { o.spec.runtime.resources = {{{"a.b/c", "2"}}, {{"a.b/c", "2e0"}}}; },
      [](auto& o) { o.spec.runtime.resources.requests = {{"memory", "1Mi"}}; },
      [](auto& o) { o.spec.traffic.timeout = absl::Seconds(40); },
      [](auto& o) { use_tpu(o, 4, "2x2"); },
      [](auto& o) { use_gpu(o); },
      [](auto& o) {
        use_gpu(o);
        o.spec.replicas = 2;
        o.spec.rollout.surge = api::Surge::kNever;
      },
      [](auto& o) {
        o.spec.replicas = 10;
        o.spec.rollout.steps = {{.weight = 50, .replicas = 4}};
      },
  };
  for (size_t i = 0; i < allowed.size(); ++i) {
    ModelDeployment object = sample_object();
    allowed[i](object);
    EXPECT_THAT(texts(check_model_deployment(object, good_references())), IsEmpty()) << i;
  }
}

TEST(WebhookRules, SayOfSeveralPossibleRuntimesOnlyWhatHoldsForAll) {
  ModelDeployment object = sample_object();
  object.spec.traffic.timeout = absl::Seconds(41);
  References references = good_references();
  auto patient = std::make_shared<api::ServingRuntime>(sample_runtime());
  patient->metadata.name = "patient";
  references.runtimes.push_back(patient);
  EXPECT_THAT(texts(check_model_deployment(object, references)),
              ElementsAre(HasSubstr("pods of runtime tensorflow end within 40s")));
  patient->spec.termination_grace_period = absl::Minutes(2);
  EXPECT_THAT(texts(check_model_deployment(object, references)), IsEmpty());
}

TEST(WebhookRules, KnowARuntimesImageThatMoves) {
  api::ServingRuntime runtime = sample_runtime();
  EXPECT_THAT(check_serving_runtime(runtime), IsEmpty());
  runtime.spec.container.image = "registry.example:5000/tensorflow";
  runtime.spec.fetch.image = "tidegate/runtime:latest";
  EXPECT_THAT(texts(check_serving_runtime(runtime)), ElementsAre(testing::StartsWith("W22 warn spec.container.image: "),
                                                                 testing::StartsWith("W22 warn spec.fetch.image: ")));
  runtime.spec.container.image = "tensorflow@sha256:0";
  runtime.spec.fetch.image = "tidegate/runtime:1.0";
  runtime.spec.container.resources = {{{"cpu", "2"}}, {{"cpu", "1"}}};
  EXPECT_THAT(texts(check_serving_runtime(runtime)),
              ElementsAre(testing::StartsWith("V7 deny spec.container.resources.requests.cpu: ")));
}

// ---- commands

ModelDeployment in_a_rollout() {
  ModelDeployment object = sample_object();
  object.status.canary.emplace();
  object.status.canary->revision = "digits-00000002";
  object.status.canary->step = 1;
  object.status.quarantined.push_back({.revision = "digits-00000003"});
  return object;
}

TEST(WebhookCommands, AreDoneWhenTheyNameWhatIsGoingOn) {
  const ModelDeployment before = in_a_rollout();
  ModelDeployment after = before;
  after.metadata.annotations = {{"tidegate.dev/promote", "digits-00000002"},
                                {"tidegate.dev/abort", "digits-00000002"},
                                {"tidegate.dev/retry", "digits-00000003"},
                                {"tidegate.dev/resume", "1"},
                                {"example.com/promote", "what I like"}};
  EXPECT_THAT(check_commands(after, &before), IsEmpty());
}

TEST(WebhookCommands, ThatNothingWillDoAreToldOnce) {
  const ModelDeployment before = in_a_rollout();
  ModelDeployment after = before;
  after.metadata.annotations = {{"tidegate.dev/promote", "digits-00000001"},
                                {"tidegate.dev/promot", "digits-00000002"},
                                {"tidegate.dev/retry", "digits-00000002"},
                                {"tidegate.dev/resume", "two"}};
  EXPECT_THAT(
      texts(check_commands(after, &before)),
      testing::UnorderedElementsAre(
          AllOf(HasSubstr("W17 warn metadata.annotations[tidegate.dev/promote]"), HasSubstr("not being rolled out")),
          AllOf(HasSubstr("[tidegate.dev/promot]"), HasSubstr("there are promote, abort, retry and resume")),
          AllOf(HasSubstr("[tidegate.dev/retry]"), HasSubstr("not quarantined")),
          AllOf(HasSubstr("[tidegate.dev/resume]"), HasSubstr("not the number of a step"))));
  EXPECT_THAT(check_commands(after, &after), IsEmpty()) << "an annotation that stays is old news";
}

// ---- the whole judgement

Review review_of(ModelDeployment object, std::optional<ModelDeployment> before = {}) {
  return {"uid", Change<ModelDeployment>{std::move(object), std::move(before), false}};
}

References claimed(const ModelDeployment& object) {
  References references = good_references();
  for (const std::string& host : object.spec.traffic.hosts) references.host_claimed_by[host] = "other/fraud";
  return references;
}

TEST(WebhookJudge, DeniesANewFaultButOnlyWarnsOfOneThatWasThere) {
  ModelDeployment before = sample_object();
  before.spec.traffic.hosts = {"old.example.com"};
  ModelDeployment after = before;
  after.spec.model.version = "2";  // a rollback
  EXPECT_TRUE(denies(judge(review_of(before), claimed)));
  EXPECT_FALSE(denies(judge(review_of(after, before), claimed))) << "a stored fault stands in the way of nothing";
  EXPECT_THAT(texts(judge(review_of(after, before), claimed)), ElementsAre(HasSubstr("V5 warn spec.traffic.hosts[0]")));
  after.spec.traffic.hosts = {"new.example.com", "old.example.com"};
  EXPECT_THAT(
      texts(judge(review_of(after, before), claimed)),
      ElementsAre(HasSubstr("V5 deny spec.traffic.hosts[0]: new"), HasSubstr("V5 warn spec.traffic.hosts[1]: old")));
}

TEST(WebhookJudge, LeavesAnObjectThatIsBeingDeletedAlone) {
  ModelDeployment object = sample_object();
  object.spec.traffic.hosts = {"x.example.com"};
  object.metadata.deletion_timestamp = absl::UnixEpoch();
  EXPECT_THAT(judge(review_of(object), claimed), IsEmpty());
}

TEST(WebhookJudge, DeniesWhatTheOperatorCouldNotReadWithTheFieldsPath) {
  Review review{"uid",
                Change<ModelDeployment>{absl::InvalidArgumentError("spec.rollout.steps[1].weight: expected an integer"),
                                        std::nullopt, false}};
  EXPECT_THAT(texts(judge(review, claimed)), ElementsAre("V1 deny spec.rollout.steps[1].weight: expected an integer"));
  std::get<Change<ModelDeployment>>(review.change).before_was_unreadable = true;
  EXPECT_FALSE(denies(judge(review, claimed)));
}

}  // namespace
}  // namespace tidegate::operator_
