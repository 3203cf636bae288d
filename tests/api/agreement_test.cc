// The C++ types and the CRDs say the same: every field there, none here alone, with the same type, enum and default.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "api/crd_schema.h"
#include "api/json.h"
#include "api/type_facts.h"
#include "source_dir.h"

namespace tidegate::api {
namespace {

using testing::IsEmpty;

std::string crd(const std::string& plural) { return std::string(TIDEGATE_SOURCE_DIR) + "/crds/" + plural + ".yaml"; }

std::map<std::string, std::string> types(const FieldFacts& facts) {
  std::map<std::string, std::string> types;
  for (const auto& [path, fact] : facts) types[path] = fact.type + (fact.required ? ", required" : "");
  return types;
}

// Durations compare by their length: "60s" is "1m".
nlohmann::json normal(nlohmann::json value) {
  if (value.is_string()) {
    if (auto duration = parse_duration(value.get<std::string>()); duration.ok()) return format_duration(*duration);
  }
  if (value.is_structured()) {
    for (auto& item : value) item = normal(item);
  }
  return value;
}

// A list's default as the types spell it out: with every member that has a default of its own.
template <class T>
nlohmann::json spelled_out(const nlohmann::json& list) {
  const nlohmann::json object = {{"list", list}};
  std::vector<T> items;
  absl::Status status;
  JsonReader reader(object, "", status);
  reader.optional("list", items);
  EXPECT_TRUE(status.ok()) << status;
  return JsonWriter::write(items);
}

std::map<std::string, nlohmann::json> defaults(const FieldFacts& facts) {
  std::map<std::string, nlohmann::json> defaults;
  for (const auto& [path, fact] : facts) {
    if (fact.default_value.is_null()) continue;
    if (path == "spec.rollout.steps") {
      defaults[path] = normal(spelled_out<RolloutStep>(fact.default_value));
    } else if (path == "spec.rollout.analysis.checks") {
      defaults[path] = normal(spelled_out<Check>(fact.default_value));
    } else {
      defaults[path] = normal(fact.default_value);
    }
  }
  return defaults;
}

TEST(Agreement, ModelDeploymentSpecHasTheSameFieldsAndTypesInBoth) {
  EXPECT_EQ(types(facts_of_type<ModelDeploymentSpec>("spec")), types(facts_of_crd(crd("modeldeployments"), "spec")));
}

TEST(Agreement, ModelDeploymentStatusHasTheSameFieldsAndTypesInBoth) {
  EXPECT_EQ(types(facts_of_type<ModelDeploymentStatus>("status")),
            types(facts_of_crd(crd("modeldeployments"), "status")));
}

TEST(Agreement, ServingRuntimeSpecHasTheSameFieldsAndTypesInBoth) {
  EXPECT_EQ(types(facts_of_type<ServingRuntimeSpec>("spec")), types(facts_of_crd(crd("servingruntimes"), "spec")));
}

TEST(Agreement, ModelDeploymentDefaultsAreTheSameInBoth) {
  auto by_type = defaults(facts_of_type<ModelDeploymentSpec>("spec"));
  // These belong to Latency checks alone, so the API server must not add them to an ErrorRate check; their
  // descriptions give the value that holds when they are absent.
  EXPECT_EQ(by_type.at("spec.rollout.analysis.checks[].quantile"), 0.95);
  EXPECT_EQ(by_type.at("spec.rollout.analysis.checks[].minDelta"), "5ms");
  by_type.erase("spec.rollout.analysis.checks[].quantile");
  by_type.erase("spec.rollout.analysis.checks[].minDelta");
  EXPECT_EQ(by_type, defaults(facts_of_crd(crd("modeldeployments"), "spec")));
}

TEST(Agreement, ServingRuntimeDefaultsAreTheSameInBoth) {
  EXPECT_EQ(defaults(facts_of_type<ServingRuntimeSpec>("spec")),
            defaults(facts_of_crd(crd("servingruntimes"), "spec")));
}

TEST(Agreement, ClusterServingRuntimeHasTheSpecOfServingRuntime) {
  EXPECT_EQ(facts_of_crd(crd("clusterservingruntimes"), "spec"), facts_of_crd(crd("servingruntimes"), "spec"));
}

TEST(Crds, DescribeEveryField) {
  for (const char* plural : {"modeldeployments", "servingruntimes", "clusterservingruntimes"}) {
    EXPECT_THAT(undescribed_fields(crd(plural), "spec"), IsEmpty()) << plural;
  }
  EXPECT_THAT(undescribed_fields(crd("modeldeployments"), "status"), IsEmpty());
}

}  // namespace
}  // namespace tidegate::api
