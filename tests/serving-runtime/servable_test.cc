#include "serving-runtime/core/servable_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"

namespace tidegate::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Servable, ReturnsTheWantedOutputsInTheOrderWanted) {
  auto model = fake_servable("m", 1);
  const auto& signature = *model->find_signature("");
  auto all = model->predict(signature, one_input("x", floats({2})), {});
  ASSERT_EQ(all->size(), 2u);
  EXPECT_THAT(to_vector((*all)[0].tensor), ElementsAre(3));
  auto some = model->predict(signature, one_input("x", floats({2})), {"z", "y"});
  EXPECT_EQ((*some)[0].name, "z");
  EXPECT_THAT(to_vector((*some)[0].tensor), ElementsAre(-2));
}

TEST(Servable, SaysWhichInputsAreExtraAndWhichAreMissing) {
  auto model = fake_servable("m", 1);
  const auto& signature = *model->find_signature("serving_default");
  EXPECT_EQ(
      model->predict(signature, {}, {}).status().message(),
      "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.");
  EXPECT_THAT(model->predict(signature, one_input("q", floats({1})), {}).status().message(),
              HasSubstr("Sent extra: {q}. Missing but required: {x}."));
  EXPECT_EQ(model->find_signature("nope"), nullptr);
}

TEST(Servable, BlamesTheModelForItsErrorsButNotForInputsThatContradictTheSignature) {
  auto broken = fake_servable("m", 1, absl::InvalidArgumentError("assertion failed"));
  const auto& signature = *broken->find_signature("");
  EXPECT_TRUE(is_model_error(broken->predict(signature, one_input("x", floats({1})), {}).status()));
  EXPECT_FALSE(is_model_error(broken->predict(signature, one_input("x", floats({1}, {1, 1})), {}).status()));
  EXPECT_FALSE(is_model_error(broken->predict(signature, one_input("q", floats({1})), {}).status()));
}

ServableTable table_of_two() {
  ServableTable table;
  table.models["m"].versions[1] = {VersionState::kAvailable, {}, fake_servable("m", 1)};
  table.models["m"].versions[3] = {VersionState::kAvailable, {}, fake_servable("m", 3)};
  table.models["m"].versions[4] = {VersionState::kLoading, {}, nullptr};
  table.models["m"].labels = {{"stable", 1}, {"next", 4}};
  return table;
}

TEST(ServableTable, RoutesToTheNewestAvailableVersionUnlessOneIsNamed) {
  ServableTable table = table_of_two();
  EXPECT_EQ((*table.find({"m", {}, {}}))->version(), 3);
  EXPECT_EQ((*table.find({"m", 1, {}}))->version(), 1);
  EXPECT_EQ((*table.find({"m", {}, "stable"}))->version(), 1);
  EXPECT_EQ(table.find({"m", {}, "next"}).status().message(), "Servable not found for request: Specific(m, 4)");
  EXPECT_EQ(table.find({"m", 9, {}}).status().message(), "Servable not found for request: Specific(m, 9)");
  EXPECT_EQ(table.find({"q", {}, {}}).status().message(), "Servable not found for request: Latest(q)");
  EXPECT_EQ(table.find({"m", {}, "x"}).status().message(), "Unrecognized servable version label: x");
}

TEST(ServableTable, IsReadyWhenEveryModelHasAVersionThatServes) {
  EXPECT_FALSE(ServableTable{}.ready());
  ServableTable table = table_of_two();
  EXPECT_TRUE(table.ready());
  table.models["other"];
  EXPECT_FALSE(table.ready());
}

}  // namespace
}  // namespace tidegate::serving
