#include "serving-runtime/backends/onnx/onnx_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving-runtime/backend_options.h"

namespace tidegate::serving {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

Failure take(const BackendOptions& given, OnnxOptions& options) {
  for (const auto& [key, value] : given) {
    if (Failure failure = apply_option(key, value, options); !failure.ok()) return failure;
  }
  return {};
}

TEST(OnnxOptions, TakeWhatServeGivesTheBackend) {
  BackendFlags flags;
  OnnxOptions options;
  ASSERT_TRUE(take(backend_options(model::Format::kOnnx, flags), options).ok());
  EXPECT_EQ(options.intra_op_threads, 1);
  EXPECT_FALSE(options.parallel());
  EXPECT_EQ(options.graph_optimization, GraphOptimization::kAll);
  EXPECT_FALSE(options.gpu.has_value());
  flags.intra_op_threads = 4;
  flags.inter_op_threads = 2;
  flags.onnx_graph_optimization = "basic";
  flags.visible_gpus = "1";
  flags.onnx_gpu_memory_limit = 5'000'000'000;
  ASSERT_TRUE(take(backend_options(model::Format::kOnnx, flags), options).ok());
  EXPECT_EQ(options.intra_op_threads, 4);
  EXPECT_TRUE(options.parallel());
  EXPECT_EQ(options.graph_optimization, GraphOptimization::kBasic);
  EXPECT_THAT(cuda_provider_options(options),
              UnorderedElementsAre(Pair("device_id", "1"), Pair("gpu_mem_limit", "5000000000"),
                                   Pair("arena_extend_strategy", "kSameAsRequested")));
}

TEST(OnnxOptions, RunAGraphInTheRequestsThreadUnlessToldHowManyOperationsAtOnce) {
  for (auto [threads, parallel] : {std::pair{-1, false}, {0, true}, {1, false}, {2, true}}) {
    OnnxOptions options;
    ASSERT_TRUE(apply_option("inter_op_threads", std::to_string(threads), options).ok());
    EXPECT_EQ(options.parallel(), parallel) << threads;
  }
}

TEST(OnnxOptions, SayWhichOneIsWrongAndWhatItHasToBe) {
  OnnxOptions options;
  EXPECT_EQ(apply_option("gpu_allow_growth", "true", options).message,
            "the onnx backend has no option 'gpu_allow_growth'");
  for (auto [key, value, part] : {std::tuple{"intra_op_threads", "-1", "a whole number from 0"},
                                  {"intra_op_threads", "", "a whole number"},
                                  {"inter_op_threads", "2x", "a whole number from -1"},
                                  {"graph_optimization", "full", "none, basic, extended or all"},
                                  {"gpu_memory_limit", "-1", "a whole number from 0"},
                                  {"visible_gpus", "0,1", "the number of one GPU"}}) {
    Failure failure = apply_option(key, value, options);
    EXPECT_EQ(failure.code, kInvalidArgument);
    EXPECT_THAT(failure.message, HasSubstr(part));
    EXPECT_THAT(failure.message, HasSubstr(key));
  }
}

TEST(BackendOptions, AreThoseThatEachBackendKnows) {
  BackendFlags flags;
  flags.tensorflow_dir = "/tf";
  flags.op_libraries = {"/a.so", "/b.so"};
  flags.onnxruntime_dir = "/ort";
  EXPECT_EQ(backend_options(model::Format::kSavedModel, flags)["library_dir"], "/tf");
  EXPECT_EQ(backend_options(model::Format::kSavedModel, flags)["op_libraries"], "/a.so\n/b.so\n");
  EXPECT_EQ(backend_options(model::Format::kSavedModel, flags).count("graph_optimization"), 0u);
  EXPECT_EQ(backend_options(model::Format::kOnnx, flags)["library_dir"], "/ort");
  EXPECT_EQ(backend_options(model::Format::kOnnx, flags).count("gpu_allow_growth"), 0u);
}

}  // namespace
}  // namespace tidegate::serving
