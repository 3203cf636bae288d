#include "serving-runtime/serve/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "base/scratch_folder.h"

namespace tidegate::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// What the command line says, or why it does not.
class ServeOptionsTest : public testing::Test {
 protected:
  ServeOptions parse(std::vector<std::string> words) {
    ServeOptions options;
    CLI::App app;
    add_serve_options(app, options);
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    error_.clear();
    try {
      app.parse(words);
    } catch (const CLI::Error& error) {
      error_ = error.what();
    }
    return options;
  }
  std::string session_config(const std::string& text) {
    folder_.write("session.config", text);
    return "--tensorflow_session_config_file=" + (folder_ / "session.config").string();
  }

  base::ScratchFolder folder_;
  std::string error_;
};

TEST_F(ServeOptionsTest, TheLastOfAFlagCounts) {
  const ServeOptions options = parse({"--port=1", "--model_name=a", "--grpc-port=2", "--model-name=b"});
  EXPECT_EQ(options.grpc_port, 2);
  EXPECT_EQ(options.model_name, "b");
}

TEST_F(ServeOptionsTest, ListsGrowWithEachFlag) {
  const ServeOptions options = parse({"--version-label=a=1", "--version-label=b=2", "--op-libraries=a.so,b.so",
                                      "--op-libraries=c.so", "--grpc_channel_arguments=grpc.a=1,grpc.b=x=y"});
  EXPECT_THAT(options.version_labels, ElementsAre("a=1", "b=2"));
  EXPECT_THAT(options.backend.op_libraries, ElementsAre("a.so", "b.so", "c.so"));
  EXPECT_THAT(options.grpc_channel_arguments, ElementsAre(Pair("grpc.a", "1"), Pair("grpc.b", "x=y")));
}

TEST_F(ServeOptionsTest, SwitchesTakeAValueAsTensorFlowServingsDo) {
  EXPECT_FALSE(parse({"--enable_model_warmup=false"}).warm_up);
  EXPECT_TRUE(parse({"--enable_batching"}).batching);
  EXPECT_TRUE(parse({"--enable_batching=true"}).batching);
}

TEST_F(ServeOptionsTest, SessionParallelismIsBothKindsOfThreadsUnlessTheyAreGiven) {
  const ServeOptions both = parse({"--tensorflow_session_parallelism=3"});
  EXPECT_EQ(both.backend.intra_op_threads, 3);
  EXPECT_EQ(both.backend.inter_op_threads, 3);
  const ServeOptions one = parse({"--tensorflow_inter_op_parallelism=2", "--tensorflow_session_parallelism=3"});
  EXPECT_EQ(one.backend.intra_op_threads, 3);
  EXPECT_EQ(one.backend.inter_op_threads, 2) << "whatever comes first";
}

TEST_F(ServeOptionsTest, ASessionConfigSetsWhatItSaysAndFlagsCountMore) {
  const std::string file = session_config(R"(
      intra_op_parallelism_threads: 4 inter_op_parallelism_threads: 5
      gpu_options { allow_growth: false visible_device_list: "1" }
      graph_options { optimizer_options { global_jit_level: ON_1 } })");
  const ServeOptions options = parse({"--tensorflow_inter_op_parallelism=2", file});
  EXPECT_EQ(error_, "");
  EXPECT_EQ(options.backend.intra_op_threads, 4);
  EXPECT_EQ(options.backend.inter_op_threads, 2);
  EXPECT_FALSE(options.backend.gpu_allow_growth);
  EXPECT_EQ(options.backend.visible_gpus, "1");
  EXPECT_EQ(options.backend.gpu_memory_fraction, 0) << "is not said";
  EXPECT_TRUE(options.backend.tensorflow_xla);
}

TEST_F(ServeOptionsTest, ASessionConfigWithAFieldThatIsNoOptionIsRefusedWithItsPlace) {
  parse({session_config("intra_op_parallelism_threads: 4\nlog_device_placement: true")});
  EXPECT_THAT(error_, HasSubstr("session.config: line 2"));
  parse({session_config("gpu_options { per_process_gpu_memory_fraction: 2 }")});
  EXPECT_THAT(error_, HasSubstr("per_process_gpu_memory_fraction must be between 0 and 1"));
  parse({session_config("intra_op_parallelism_threads: -1")});
  EXPECT_THAT(error_, HasSubstr("intra_op_parallelism_threads must not be negative"));
  parse({"--tensorflow_session_config_file=/no/such/file"});
  EXPECT_THAT(error_, HasSubstr("/no/such/file"));
}

TEST_F(ServeOptionsTest, NumbersAreOfTheRangeThatTheirFlagHas) {
  for (const char* wrong : {"--intra-op-threads=-1", "--tensorflow_session_parallelism=-1", "--max-resident=-1",
                            "--poll-seconds=nan", "--drain-seconds=inf", "--max-request-bytes=0", "--port=65536"}) {
    parse({wrong});
    EXPECT_NE(error_, "") << wrong;
  }
  EXPECT_EQ(parse({"--max-request-bytes=8GB"}).max_request_bytes, uint64_t{8} << 30);
  EXPECT_EQ(error_, "");
}

TEST_F(ServeOptionsTest, FlagsWithoutACounterpartAreNotedOrRefusedWhereTheyAskForSomething) {
  const ServeOptions nothing = parse({"--enable_profiler=false", "--use_alts_credentials=false"});
  EXPECT_THAT(notes(nothing.foreign), ElementsAre());
  EXPECT_TRUE(check(nothing.foreign).ok());
  const ServeOptions something = parse({"--num_unload_threads=2", "--use_alts_credentials"});
  EXPECT_THAT(notes(something.foreign),
              ElementsAre(HasSubstr("--num_unload_threads of TensorFlow Serving has no effect")));
  EXPECT_THAT(check(something.foreign).message(),
              HasSubstr("--use_alts_credentials of TensorFlow Serving is not supported: use TLS"));
}

}  // namespace
}  // namespace tidegate::serving
