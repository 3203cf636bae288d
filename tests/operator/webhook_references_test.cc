// What the webhook knows of other objects, out of the stores.
#include "operator/webhooks/references.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/json.h"
#include "kube/fake_api_server.h"
#include "samples.h"

namespace tidegate::operator_ {
namespace {

using kube::Json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

class WebhookReferences : public testing::Test {
 protected:
  void store(const std::string& ns, const std::string& name, const std::vector<std::string>& hosts,
             bool leaving = false) {
    api::ModelDeployment object = sample_object();
    object.spec.traffic.hosts = hosts;
    Json json = {
        {"metadata",
         {{"namespace", ns}, {"name", name}, {"resourceVersion", std::to_string(++version_)}, {"uid", ns + name}}},
        {"spec", api::to_json(object.spec)}};
    if (leaving) json["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
    stores_.models.upsert(json);
  }
  References asking(const std::vector<std::string>& hosts, const std::string& runtime = "") {
    api::ModelDeployment object = sample_object();
    object.spec.traffic.hosts = hosts;
    object.spec.runtime.name = runtime;
    return references_of(object, stores_, "cluster.local");
  }

  void store_runtime(const std::string& name, const std::string& format) {
    Json runtime = {{"metadata", {{"name", name}, {"resourceVersion", std::to_string(++version_)}, {"uid", name}}},
                    {"spec", api::to_json(sample_runtime().spec)}};
    runtime["spec"]["supportedFormats"][0]["name"] = format;
    stores_.cluster_runtimes.upsert(runtime);
  }
  static std::vector<std::string> runtimes(const References& references) {
    std::vector<std::string> names;
    for (const auto& runtime : references.runtimes) names.push_back(runtime->metadata.name);
    return names;
  }

  int version_ = 0;
  base::ManualClock clock_;
  base::SeededRandom random_{1};
  kube::FakeApiServer server_{clock_};
  kube::Client client_{server_, {}};
  Stores stores_{client_, clock_, random_, "tidegate-system"};
};

TEST_F(WebhookReferences, KnowWhoElseAsksForAHost) {
  store("other", "fraud", {"a.example.com", "b.example.com"});
  store("other", "gone", {"c.example.com"}, true);
  store("demo", "digits", {"d.example.com"});
  EXPECT_THAT(asking({"a.example.com", "c.example.com", "d.example.com", "e.example.com"}).host_claimed_by,
              UnorderedElementsAre(Pair("a.example.com", "other/fraud")));
  store("other", "fraud", {"b.example.com"});
  EXPECT_THAT(asking({"a.example.com"}).host_claimed_by, IsEmpty()) << "given up by an update";
}

TEST_F(WebhookReferences, KnowWhoseOwnNameAHostIs) {
  store("com", "example", {});
  store("other", "fraud", {"digits.demo"});
  const References references = asking({"example.com", "digits.demo", "x.com"});
  EXPECT_THAT(references.host_is_name_of,
              UnorderedElementsAre(Pair("example.com", "com/example"), Pair("digits.demo", "demo/digits")));
  EXPECT_EQ(references.name_claimed_by, "other/fraud");
}

TEST_F(WebhookReferences, KnowTheRuntimesThatMayServeTheModelOrWhyThereIsNone) {
  EXPECT_THAT(runtimes(asking({})), IsEmpty());
  EXPECT_THAT(asking({}).no_runtime_because, HasSubstr("ClusterServingRuntime"));
  store_runtime("tensorflow", "savedmodel");
  EXPECT_THAT(runtimes(asking({})), ElementsAre("tensorflow"));
  EXPECT_EQ(asking({}).no_runtime_because, "");
  EXPECT_THAT(runtimes(asking({}, "triton")), IsEmpty());
  EXPECT_THAT(asking({}, "triton").no_runtime_because, HasSubstr("triton"));
  // Until the store has been looked at, the model may be of any format.
  store_runtime("onnx", "onnx");
  EXPECT_THAT(runtimes(asking({})), UnorderedElementsAre("tensorflow", "onnx"));
  EXPECT_THAT(runtimes(asking({}, "onnx")), ElementsAre("onnx"));
  store_runtime("litert", "tflite");
  EXPECT_THAT(runtimes(asking({})), UnorderedElementsAre("tensorflow", "onnx", "litert"));
  EXPECT_THAT(runtimes(asking({}, "litert")), ElementsAre("litert"));
}

}  // namespace
}  // namespace tidegate::operator_
