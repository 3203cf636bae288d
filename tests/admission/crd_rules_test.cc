// The CRDs' schemas as the API server applies them. That it takes the CRDs at all shows that every rule is within its
// cost limits.
#include <gmock/gmock.h>

#include "admission/world.h"
#include "api/json.h"
#include "base/strings.h"

namespace tidegate::admission {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Case {
  std::string path;   // of the field that the answer names
  std::string words;  // of the answer
  std::string spec;   // merged into a good one
};

std::string with_check(const std::string& check) {
  return base::cat(R"({"rollout":{"analysis":{"checks":[{"name":"c",)", check, "}]}}}");
}

const std::vector<Case>& cases() {
  static const std::string kLongLabel(64, 'a');
  static const std::vector<Case> kCases{
      // spec.model
      {"spec.model.uri", "s3://<bucket>/<path>", R"({"model":{"uri":"gs://models/digits"}})"},
      {"spec.model.uri", "s3://<bucket>/<path>", R"({"model":{"uri":"s3://Models/digits"}})"},
      {"spec.model.uri", "s3://<bucket>/<path>", R"({"model":{"uri":"s3://models//digits"}})"},
      {"spec.model.uri", "'..'", R"({"model":{"uri":"s3://mod..els/digits"}})"},
      {"spec.model.uri", "'..'", R"({"model":{"uri":"s3://models/../digits"}})"},
      {"spec.model.uri", "white space", R"({"model":{"uri":"s3://models/my digits"}})"},
      {"spec.model.version", "leading zeros", R"({"model":{"version":"007"}})"},
      {"spec.model.version", "string", R"({"model":{"version":7}})"},
      {"spec.model.version", "leading zeros", R"({"model":{"version":"v7"}})"},
      {"spec.model.pollInterval", "between 1s and 720h", R"({"model":{"pollInterval":"0s"}})"},
      {"spec.model.pollInterval", "between 1s and 720h", R"({"model":{"pollInterval":"721h"}})"},
      {"spec.model.pollInterval", "should match", R"({"model":{"pollInterval":"1 minute"}})"},
      {"spec.model.pollInterval", "between 1s and 720h", R"({"model":{"pollInterval":"9999999999999h"}})"},
      {"spec.model.credentials.secretName", "should match", R"({"model":{"credentials":{"secretName":"a..b"}}})"},
      // spec.runtime
      {"spec.runtime.name", "should match", R"({"runtime":{"name":"My_Runtime"}})"},
      {"spec.runtime.env[1]", "Duplicate", R"({"runtime":{"env":[{"name":"A"},{"name":"A"}]}})"},
      {"spec.runtime.resources.requests", "knows cpu", R"({"runtime":{"resources":{"requests":{"gpu":1}}}})"},
      {"spec.runtime.resources.limits", "knows cpu", R"({"runtime":{"resources":{"limits":{"Memory":"1Gi"}}}})"},
      {"spec.runtime.resources.limits", "negative", R"({"runtime":{"resources":{"limits":{"cpu":-1}}}})"},
      {"spec.runtime.resources.limits.memory", "should match",
       R"({"runtime":{"resources":{"limits":{"memory":"1GB"}}}})"},
      {"spec.runtime.resources.requests", "name it there only",
       R"({"accelerator":{"type":"gpu"},"runtime":{"resources":{"requests":{"nvidia.com/gpu":1}}}})"},
      {"spec.runtime.resources.limits", "name it there only",
       R"({"accelerator":{"type":"tpu"},"runtime":{"resources":{"limits":{"google.com/tpu":4}}}})"},
      {"spec.runtime.resources.limits", "name it there only",
       R"({"accelerator":{"type":"custom","resource":"a.b/c"},"runtime":{"resources":{"limits":{"a.b/c":"1"}}}})"},
      // spec.accelerator
      {"spec.accelerator", "needs resource", R"({"accelerator":{"type":"custom"}})"},
      {"spec.accelerator", "other than none", R"({"accelerator":{"resource":"nvidia.com/gpu"}})"},
      {"spec.accelerator.count", "other than none", R"({"accelerator":{"count":2}})"},
      {"spec.accelerator.count", "greater than or equal to 1", R"({"accelerator":{"type":"gpu","count":0}})"},
      {"spec.accelerator.topology", "type tpu only", R"({"accelerator":{"type":"gpu","topology":"2x2"}})"},
      {"spec.accelerator.topology", "should match", R"({"accelerator":{"type":"tpu","topology":"2x0"}})"},
      {"spec.accelerator.product", "node labels",
       R"({"accelerator":{"type":"custom","resource":"a.b/c","product":"X"}})"},
      {"spec.accelerator.product", "nvidia.com and amd.com",
       R"({"accelerator":{"type":"gpu","resource":"gpu.intel.com/i915","product":"X"}})"},
      {"spec.accelerator.resource", "type custom", R"({"accelerator":{"type":"tpu","resource":"a.b/tpu"}})"},
      {"spec.accelerator.resource", "type tpu", R"({"accelerator":{"type":"gpu","resource":"google.com/tpu"}})"},
      {"spec.accelerator.resource", "belong to Kubernetes",
       R"({"accelerator":{"type":"custom","resource":"node.kubernetes.io/x"}})"},
      {"spec.accelerator.resource", "63",
       base::cat(R"({"accelerator":{"type":"custom","resource":"a.b/)", kLongLabel, R"("}})")},
      // spec.replicas, spec.rollout
      {"spec.replicas", "greater than or equal to 0", R"({"replicas":-1})"},
      {"spec.rollout.strategy", "Canary", R"({"rollout":{"strategy":"BlueGreen"}})"},
      {"spec.rollout.steps", "rise", R"({"rollout":{"steps":[{"weight":50},{"weight":50}]}})"},
      {"spec.rollout.steps[0].weight", "less than or equal to 100", R"({"rollout":{"steps":[{"weight":101}]}})"},
      {"spec.rollout.steps[0].weight", "greater than or equal to 1", R"({"rollout":{"steps":[{"weight":0}]}})"},
      {"spec.rollout.steps[0].hold", "720h", R"({"rollout":{"steps":[{"weight":5,"hold":"721h"}]}})"},
      {"spec.rollout.steps[0].pause", "object", R"({"rollout":{"steps":[{"weight":5,"pause":true}]}})"},
      {"spec.rollout.steps[0].replicas", "greater than or equal to 1",
       R"({"rollout":{"steps":[{"weight":5,"replicas":0}]}})"},
      {"spec.rollout.steps", "nothing to compare", R"({"rollout":{"steps":[{"weight":100}]}})"},
      {"spec.rollout.progressDeadline", "between 1s", R"({"rollout":{"progressDeadline":"0s"}})"},
      {"spec.rollout.scaleDownDelay", "720h", R"({"rollout":{"scaleDownDelay":"1000h"}})"},
      {"spec.rollout.historyLimit", "less than or equal to 50", R"({"rollout":{"historyLimit":51}})"},
      {"spec.rollout.analysis.confidence", "less than or equal to", R"({"rollout":{"analysis":{"confidence":95}}})"},
      {"spec.rollout.analysis.maxDuration", "between 1s", R"({"rollout":{"analysis":{"maxDuration":"10ms"}}})"},
      {"spec.rollout.analysis.errors", "at least 1", R"({"rollout":{"analysis":{"errors":[]}}})"},
      {"spec.rollout.analysis.designEffect", "greater than or equal to 1",
       R"({"rollout":{"analysis":{"designEffect":0.5}}})"},
      {"spec.rollout.analysis.checks[0]", "exactly one", with_check(R"("metric":"ErrorRate")")},
      {"spec.rollout.analysis.checks[0]", "exactly one", with_check(R"("metric":"ErrorRate","max":0.1,"maxRatio":2)")},
      {"spec.rollout.analysis.checks[0]", "exactly one", with_check(R"("metric":"Latency","quantile":0.9)")},
      {"spec.rollout.analysis.checks[0]", "for Latency",
       with_check(R"("metric":"ErrorRate","max":0.1,"quantile":0.9)")},
      {"spec.rollout.analysis.checks[0]", "for ErrorRate", with_check(R"("metric":"Latency","max":0.1,"maxRatio":2)")},
      {"spec.rollout.analysis.checks[0]", "maxRatio only",
       with_check(R"("metric":"Latency","maxLatency":"1s","minDelta":"1ms")")},
      {"spec.rollout.analysis.checks[0].max", "more than 0", with_check(R"("metric":"ErrorRate","max":0)")},
      {"spec.rollout.analysis.checks[0].maxIncrease", "less than 1",
       with_check(R"("metric":"ErrorRate","maxIncrease":1)")},
      {"spec.rollout.analysis.checks[0].maxRatio", "more than 1", with_check(R"("metric":"ErrorRate","maxRatio":1)")},
      {"spec.rollout.analysis.checks[0].maxLatency", "between 1ms",
       with_check(R"("metric":"Latency","maxLatency":"0s")")},
      {"spec.rollout.analysis.checks[0].minDelta", "at most 1h",
       with_check(R"("metric":"Latency","maxRatio":2,"minDelta":"2h")")},
      {"spec.rollout.analysis.checks", "traffic.timeout (30s)", with_check(R"("metric":"Latency","maxLatency":"30s")")},
      // spec.traffic
      {"spec.traffic.hosts[0]", "at least one dot", R"({"traffic":{"hosts":["digits"]}})"},
      {"spec.traffic.hosts[0]", "lower-case", R"({"traffic":{"hosts":["Digits.example.com"]}})"},
      {"spec.traffic.hosts[0]", "without port", R"({"traffic":{"hosts":["digits.example.com:80"]}})"},
      {"spec.traffic.hosts[0]", "lower-case", R"({"traffic":{"hosts":["*.example.com"]}})"},
      {"spec.traffic.hosts[0]", "inside the cluster", R"({"traffic":{"hosts":["digits.vision.svc"]}})"},
      {"spec.traffic.hosts[0]", "not an IP address", R"({"traffic":{"hosts":["10.0.0.1"]}})"},
      {"spec.traffic.hosts[0]", "63", base::cat(R"({"traffic":{"hosts":[")", kLongLabel, R"(.com"]}})")},
      {"spec.traffic.hosts[1]", "Duplicate", R"({"traffic":{"hosts":["a.example.com","a.example.com"]}})"},
      {"spec.traffic.timeout", "between 1ms and 1h", R"({"traffic":{"timeout":"2h"}})"},
      {"spec.traffic.retries", "less than or equal to 10", R"({"traffic":{"retries":11}})"},
      {"spec.traffic.maxConcurrency", "greater than or equal to 1", R"({"traffic":{"maxConcurrency":0}})"},
      {"spec.replica", "unknown field", R"({"replica":3})"},
  };
  return kCases;
}

TEST_F(Admission, CrdsRefuseWhatMakesNoSenseAndNameTheField) {
  for (const Case& c : cases()) {
    const Answer answer = create_dry(object(Json::parse(c.spec)));
    EXPECT_GE(answer.code, 400) << c.spec;
    EXPECT_LT(answer.code, 500) << c.spec << answer.message;
    EXPECT_THAT(answer.message, AllOf(HasSubstr(c.path), HasSubstr(c.words))) << c.spec;
  }
}

TEST_F(Admission, CrdsRefuseANameFromWhichNoOtherNameCanBeMade) {
  for (const std::string& name : {std::string(55, 'a'), std::string("7-up"), std::string("a.b")}) {
    EXPECT_THAT(create_dry(object(Json::object(), name)).message, HasSubstr("metadata.name becomes a host name"))
        << name;
  }
  EXPECT_EQ(create_dry(object(Json::object(), std::string(54, 'a'))).code, 201);
}

TEST_F(Admission, CrdsTakeWhatIsJustWithinTheLimits) {
  for (
      const char* spec : {
          R"({})",
          R"({"accelerator":null,"runtime":null,"rollout":null,"traffic":null})",
          R"({"replicas":0,"model":{"version":"latest","pollInterval":"720h"}})",
          R"({"rollout":{"steps":[]}})",
          R"({"rollout":{"steps":[{"weight":99,"hold":"720h","pause":{}}]}})",
          R"({"rollout":{"steps":[{"weight":100}],"analysis":{"checks":[{"name":"c","metric":"ErrorRate","max":0.1}]}}})",
          R"({"rollout":{"analysis":{"checks":[{"name":"c","metric":"Latency","maxLatency":"29999ms"}]}}})",
          R"({"accelerator":{"type":"gpu","resource":"nvidia.com/mig-1g.10gb","product":"NVIDIA-A100"}})",
          R"({"accelerator":{"type":"gpu"},"runtime":{"resources":{"limits":{"amd.com/gpu":1,"hugepages-2Mi":"4Mi","cpu":"1.5"}}}})",
          R"({"traffic":{"hosts":["1.example.com","a-b.c-d.example"],"timeout":"1h"}})",
      }) {
    const Answer answer = create_dry(object(Json::parse(spec)));
    EXPECT_EQ(answer.code, 201) << spec << answer.message;
  }
}

TEST_F(Admission, CrdsTakeTheSamplesAndTheRuntimesThatWeShip) {
  for (const auto& [sample, ns] : std::vector<std::pair<std::string, std::string>>{
           {"careful", "payments"}, {"gpu", "vision"}, {"minimal", "vision"}, {"tpu", "text"}}) {
    const Answer answer = create("/apis/tidegate.dev/v1alpha1/namespaces/" + ns + "/modeldeployments?dryRun=All",
                                 documents("manifests/samples/" + sample + ".yaml").front());
    EXPECT_EQ(answer.code, 201) << sample << answer.message;
  }
  for (const std::string& runtime : documents("manifests/runtimes.yaml")) {
    EXPECT_EQ(create("/apis/tidegate.dev/v1alpha1/clusterservingruntimes?dryRun=All", runtime).code, 201);
  }
}

TEST_F(Admission, CrdsRefuseARuntimeThatCannotRun) {
  const std::string good = documents("manifests/runtimes.yaml").front();
  const auto refused = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return create("/apis/tidegate.dev/v1alpha1/clusterservingruntimes?dryRun=All", text).message;
  };
  EXPECT_THAT(refused("image: tidegate.local/runtime-tensorflow:dev", "image: 'a b'"),
              HasSubstr("spec.container.image"));
  EXPECT_THAT(refused("name: savedmodel", "name: pickle"), HasSubstr("spec.supportedFormats[0].name"));
  EXPECT_THAT(refused("{cpu: 100m,", "{gpu: 1,"), HasSubstr("spec.container.resources.requests"));
  EXPECT_THAT(refused("  fetch:", "  terminationGracePeriod: 5s\n  fetch:"), HasSubstr("between 10s and 1h"));
  EXPECT_THAT(refused("  fetch:", "  probes: {readiness: ready}\n  fetch:"), HasSubstr("spec.probes.readiness"));
}

// A stored object from before a rule was made may still be rolled back.
TEST_F(Admission, CrdsDoNotHoldAnOldFaultAgainstAnotherField) {
  const std::string crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/modeldeployments.tidegate.dev";
  const std::string current = documents("crds/modeldeployments.yaml").front();
  std::string older = current;
  const std::string rule = "message: must be a name, not an IP address";
  const size_t at = older.find("- rule: \"!self.matches('[.][0-9]+$')\"");
  ASSERT_NE(at, std::string::npos);
  older.erase(at, older.find(rule) + rule.size() - at);
  const std::string apply_crd = crd + "?fieldManager=test&force=true";
  ASSERT_EQ(send("PATCH", apply_crd, older, "application/apply-patch+yaml").code, 200);
  const Json faulty = object({{"traffic", {{"hosts", {"10.0.0.1"}}}}}, "old");
  ASSERT_TRUE(world_.until([&] { return apply(faulty).code == 201; }));
  ASSERT_EQ(send("PATCH", apply_crd, current, "application/apply-patch+yaml").code, 200);
  const Json another = object({{"traffic", {{"hosts", {"10.0.0.1"}}}}}, "new");
  ASSERT_TRUE(world_.until([&] { return create_dry(another).code == 422; }));
  Json rollback = faulty;
  rollback["spec"]["model"]["version"] = "6";
  EXPECT_EQ(apply(rollback).code, 200) << apply(rollback).message;
  erase("old");
}

}  // namespace
}  // namespace tidegate::admission
