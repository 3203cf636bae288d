// The parts of the litert backend that need no LiteRT: options, quantisation, how names map to a subgraph's numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <thread>

#include "serving-runtime/backend_options.h"
#include "serving-runtime/backends/litert/litert_options.h"
#include "serving-runtime/backends/litert/litert_tensor.h"
#include "serving-runtime/backends/litert/signature_plan.h"

namespace tidegate::serving::litert {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(LitertOptions, AreReadAndRefusedByName) {
  LitertOptions options;
  EXPECT_TRUE(apply_option("threads", "3", options).ok());
  EXPECT_TRUE(apply_option("xnnpack", "false", options).ok());
  EXPECT_TRUE(apply_option("raw_io", "true", options).ok());
  EXPECT_TRUE(apply_option("library_dir", "/lib", options).ok());
  EXPECT_EQ(options.threads, 3);
  EXPECT_FALSE(options.xnnpack);
  EXPECT_TRUE(options.raw_io);
  for (auto [key, value] : {std::pair{"threads", "0"}, {"threads", "3x"}, {"instances", "5000"}, {"xnnpack", "yes"}}) {
    Failure failure = apply_option(key, value, options);
    EXPECT_EQ(failure.code, kInvalidArgument);
    EXPECT_THAT(failure.message, HasSubstr(value));
  }
  EXPECT_THAT(apply_option("colour", "red", options).message, HasSubstr("has no option 'colour'"));
}

Failure take(const BackendOptions& given, LitertOptions& options) {
  for (const auto& [key, value] : given) {
    if (Failure failure = apply_option(key, value, options); !failure.ok()) return failure;
  }
  return {};
}

TEST(LitertOptions, TakeWhatServeGivesTheBackend) {
  BackendFlags flags;
  LitertOptions options;
  ASSERT_TRUE(take(backend_options(model::Format::kTflite, flags), options).ok());
  EXPECT_EQ(options.threads, 1);
  EXPECT_EQ(options.instances, static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  EXPECT_TRUE(options.xnnpack);
  EXPECT_FALSE(options.raw_io);
  flags.litert_dir = "/lite";
  flags.litert_threads = 3;
  flags.litert_instances = 5;
  flags.litert_xnnpack = false;
  flags.litert_raw_io = true;
  ASSERT_TRUE(take(backend_options(model::Format::kTflite, flags), options).ok());
  EXPECT_EQ(options.library_dir, "/lite");
  EXPECT_EQ(options.threads, 3);
  EXPECT_EQ(options.instances, 5);
  EXPECT_FALSE(options.xnnpack);
  EXPECT_TRUE(options.raw_io);
}

TEST(LitertQuantisation, RoundsHalfAwayFromZeroAndCutsAtTheEnds) {
  std::array<float, 8> floats{0.25F, -0.25F, 0.24F, 63, -70, INFINITY, -INFINITY, NAN};
  std::array<int8_t, 8> integers{};
  quantize(floats.data(), floats.size(), {0.5F, -3}, model::DataType::kInt8, integers.data());
  EXPECT_THAT(integers, ElementsAre(-2, -4, -3, 123, -128, 127, -128, -3));
  std::array<uint8_t, 8> unsigned_integers{};
  quantize(floats.data(), floats.size(), {1, 128}, model::DataType::kUint8, unsigned_integers.data());
  EXPECT_THAT(unsigned_integers, ElementsAre(128, 128, 128, 191, 58, 255, 0, 128));
}

TEST(LitertQuantisation, ComesBackAsScaleTimesDistanceFromTheZeroPoint) {
  std::array<int16_t, 3> integers{-32768, 5, 32767};
  std::array<float, 3> floats{};
  dequantize(integers.data(), 3, {0.25F, 5}, model::DataType::kInt16, floats.data());
  EXPECT_THAT(floats, ElementsAre(-8193.25F, 0.0F, 8190.5F));
}

model::TfliteTensor tensor(const std::string& name, int type, std::vector<float> scales) {
  model::TfliteTensor tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.shape = {1};
  tensor.signature = {-1};
  tensor.quantization.scales = std::move(scales);
  tensor.quantization.zero_points.assign(tensor.quantization.scales.size(), 0);
  return tensor;
}
constexpr int kFloat = 0, kInt32 = 2, kString = 5, kInt8 = 9;

TEST(LitertQuantisation, IsForIntegersWithOnePositiveScale) {
  EXPECT_TRUE(quantization_of(tensor("t", kInt8, {0.5F})));
  EXPECT_FALSE(quantization_of(tensor("t", kInt8, {})));
  EXPECT_FALSE(quantization_of(tensor("t", kInt8, {0.5F, 0.5F})));
  EXPECT_FALSE(quantization_of(tensor("t", kInt8, {0})));
  EXPECT_FALSE(quantization_of(tensor("t", kInt32, {0.5F})));
}

TEST(LitertMemory, IsReadInPlaceWhereReadingTooFarStaysInThePage) {
  alignas(4096) static char page[2 * 4096];
  EXPECT_TRUE(is_readable_in_place(page, 4));
  EXPECT_TRUE(is_readable_in_place(page + 64, 4096));
  EXPECT_FALSE(is_readable_in_place(page + 4, 4));
  EXPECT_FALSE(is_readable_in_place(page, 4096));
  EXPECT_FALSE(is_readable_in_place(page, 4096 - 8));
}

// Two inputs and three outputs, of which one is an input and one has two names.
model::TfliteModel sample() {
  model::TfliteModel model;
  model::TfliteSubgraph& graph = model.subgraphs.emplace_back();
  graph.tensors = {tensor("a", kFloat, {}), tensor("b", kInt8, {0.5F}), tensor("c", kFloat, {}),
                   tensor("s", kString, {})};
  graph.inputs = {1, 0};
  graph.outputs = {2, 1, 2};
  model.signatures.push_back({"f", 0, {{"first", 0}, {"second", 1}}, {{"again", 2}, {"handed", 1}, {"sum", 2}}});
  return model;
}

TEST(SignaturePlan, MapsNamesToPositionsAndKnowsOutputsThatAreInputs) {
  model::TfliteModel model = sample();
  SignaturePlan plan;
  ASSERT_TRUE(plan_signature(model, model.signatures[0], false, plan).ok());
  EXPECT_THAT(plan.input_of_position, ElementsAre(1, 0));
  EXPECT_THAT(plan.block_of_position, ElementsAre(0, 1, 0));
  EXPECT_THAT(plan.block_of_output, ElementsAre(0, 1, 0));
  EXPECT_THAT(plan.input_of_block, ElementsAre(-1, 1));
  EXPECT_EQ(plan.inputs[1].client_type(), model::DataType::kFloat);
  SignaturePlan raw;
  ASSERT_TRUE(plan_signature(model, model.signatures[0], true, raw).ok());
  EXPECT_EQ(raw.inputs[1].client_type(), model::DataType::kInt8);
}

TEST(SignaturePlan, NamesATypeThatLiteRtCannotTake) {
  model::TfliteModel model = sample();
  model.subgraphs[0].inputs = {3};
  model.signatures[0].inputs = {{"text", 3}};
  SignaturePlan plan;
  Failure failure = plan_signature(model, model.signatures[0], false, plan);
  EXPECT_EQ(failure.code, kUnimplemented);
  EXPECT_THAT(failure.message, HasSubstr("signature f: input 'text' (tensor s) is of type STRING"));
}

}  // namespace
}  // namespace tidegate::serving::litert
