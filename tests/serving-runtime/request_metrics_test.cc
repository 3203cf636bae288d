#include "serving-runtime/metrics/request_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"

namespace tidegate::serving {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RequestMetricsTest : public testing::Test {
 protected:
  std::shared_ptr<const Servable> version(int64_t number, const std::string& platform = "tensorflow") {
    return std::make_shared<const Servable>("m", number, "/m", platform,
                                            std::make_unique<FakeModel>(absl::OkStatus(), alive_));
  }
  void count(const Servable* servable, Api api, Operation operation, const absl::Status& result,
             absl::Duration took = absl::Microseconds(20), absl::Duration computed = absl::Microseconds(5)) {
    metrics_.count({api, operation, servable, result, absl::Seconds(2), took, computed});
  }
  std::string text() { return metrics_.render(table_, gate_); }

  const std::shared_ptr<std::atomic<int>> alive_ = std::make_shared<std::atomic<int>>(0);
  ServableTable table_;
  InferenceGate gate_{{1, 1}, [](InferenceGate::Work) {}};
  RequestMetrics metrics_;
};

TEST_F(RequestMetricsTest, CountsByModelVersionApiAndCode) {
  const auto one = version(1), two = version(2);
  count(one.get(), Api::kTfsRest, Operation::kPredict, absl::OkStatus());
  count(one.get(), Api::kTfsRest, Operation::kClassify, absl::OkStatus());
  count(one.get(), Api::kOipGrpc, Operation::kPredict, as_model_error(absl::InternalError("x")));
  count(two.get(), Api::kTfsRest, Operation::kPredict, absl::InvalidArgumentError("x"));
  count(nullptr, Api::kTfsGrpc, Operation::kPredict, absl::NotFoundError("x"));
  EXPECT_THAT(
      text(),
      AllOf(HasSubstr(R"(tidegate_runtime_requests_total{api="tfs_rest",code="OK",model="m",version="1"} 2)"),
            HasSubstr(R"(tidegate_runtime_requests_total{api="oip_grpc",code="INTERNAL",model="m",version="1"} 1)"),
            HasSubstr(
                R"(tidegate_runtime_requests_total{api="tfs_rest",code="INVALID_ARGUMENT",model="m",version="2"} 1)"),
            HasSubstr(R"(tidegate_runtime_requests_total{api="tfs_grpc",code="NOT_FOUND",model="",version=""} 1)"),
            HasSubstr(R"(tidegate_runtime_model_errors_total{model="m",version="1"} 1)"),
            HasSubstr(R"(tidegate_runtime_request_duration_seconds_count{model="m",version="1"} 3)"),
            HasSubstr(R"(tidegate_runtime_request_duration_seconds_sum{model="m",version="1"} 6.00006)")));
}

TEST_F(RequestMetricsTest, GoesOnCountingWhenAVersionIsLoadedAgain) {
  count(version(1).get(), Api::kTfsRest, Operation::kPredict, absl::OkStatus());
  count(version(1).get(), Api::kTfsRest, Operation::kPredict, absl::OkStatus());
  EXPECT_THAT(text(), HasSubstr(R"({api="tfs_rest",code="OK",model="m",version="1"} 2)"));
}

TEST_F(RequestMetricsTest, TellsTensorFlowServingsMetricsAsItDoes) {
  const auto one = version(1), two = version(2);
  count(one.get(), Api::kTfsRest, Operation::kPredict, absl::OkStatus());
  count(two.get(), Api::kTfsRest, Operation::kPredict, absl::OkStatus(), absl::Seconds(1), absl::Hours(1));
  count(one.get(), Api::kTfsGrpc, Operation::kRegress, absl::OkStatus());
  count(one.get(), Api::kTfsRest, Operation::kPredict, absl::InvalidArgumentError("x"));
  count(one.get(), Api::kTfsGrpc, Operation::kMultiInference, absl::OkStatus());
  count(one.get(), Api::kOipRest, Operation::kPredict, absl::OkStatus());
  const std::string text = metrics_.tfs().render();
  EXPECT_THAT(
      text,
      AllOf(HasSubstr("# TYPE :tensorflow:serving:request_count counter\n"
                      ":tensorflow:serving:request_count{model_name=\"m\",status=\"OK\"} 3\n"
                      ":tensorflow:serving:request_count{model_name=\"m\",status=\"INVALID_ARGUMENT\"} 1\n"
                      "# TYPE :tensorflow:serving:request_latency histogram\n"
                      ":tensorflow:serving:request_latency_bucket{model_name=\"m\",API=\"predict\",entrypoint=\"REST\","
                      "le=\"10\"} 0\n"),
            HasSubstr("entrypoint=\"REST\",le=\"18\"} 0\n"), HasSubstr("entrypoint=\"REST\",le=\"32.4\"} 1\n"),
            HasSubstr("entrypoint=\"REST\",le=\"708235\"} 1\n"), HasSubstr("entrypoint=\"REST\",le=\"+Inf\"} 2\n"),
            HasSubstr("request_latency_sum{model_name=\"m\",API=\"predict\",entrypoint=\"REST\"} 1000020\n"),
            HasSubstr("request_latency_count{model_name=\"m\",API=\"Regress\",entrypoint=\"GRPC\"} 1\n"),
            HasSubstr("runtime_latency_count{model_name=\"m\",API=\"Predict\",runtime=\"TF1\"} 2\n"),
            HasSubstr("runtime_latency_count{model_name=\"m\",API=\"Regress\",runtime=\"TF1\"} 1\n")));
  EXPECT_THAT(text, Not(HasSubstr("classify")));
}

TEST_F(RequestMetricsTest, TellsLoadsAsTensorFlowServingDoes) {
  TfsMetrics& tfs = metrics_.tfs();
  tfs.count_load("/m/1", absl::OkStatus(), absl::Milliseconds(2));
  tfs.count_load("/m/1", absl::InternalError("x"), absl::Milliseconds(1));
  tfs.count_warm_up("/m/\"1\"", absl::OkStatus(), absl::Microseconds(7));
  EXPECT_THAT(
      tfs.render(),
      AllOf(HasSubstr(":tensorflow:cc:saved_model:load_attempt_count{model_path=\"/m/1\",status=\"success\"} 1\n"
                      ":tensorflow:cc:saved_model:load_attempt_count{model_path=\"/m/1\",status=\"fail\"} 1\n"),
            HasSubstr(":tensorflow:cc:saved_model:load_latency{model_path=\"/m/1\"} 3000\n"),
            HasSubstr(
                ":tensorflow:serving:model_warmup_latency_bucket{model_path=\"/m/\\\"1\\\"\",status=\"OK\",le=\"10\"} "
                "1\n")));
}

TEST_F(RequestMetricsTest, TellsBatchesAsTensorFlowServingDoes) {
  const std::string runs = ":tensorflow:serving:batching_session:wrapped_run_count{} ";
  EXPECT_THAT(metrics_.tfs().render(), HasSubstr(runs + "0\n"));
  const absl::Duration queued[] = {absl::Microseconds(120), absl::Microseconds(99)};
  metrics_.count_batch("m", {4, queued});
  const std::string latency = ":tensorflow:serving:batching_session:queuing_latency";
  EXPECT_THAT(metrics_.tfs().render(),
              AllOf(HasSubstr(runs + "1\n"), HasSubstr(latency + "_bucket{thread_pool_name=\"\",le=\"100\"} 1\n"),
                    HasSubstr(latency + "_bucket{thread_pool_name=\"\",le=\"120\"} 1\n"),
                    HasSubstr(latency + "_bucket{thread_pool_name=\"\",le=\"144\"} 2\n"),
                    HasSubstr(latency + "_sum{thread_pool_name=\"\"} 219\n")));
}

}  // namespace
}  // namespace tidegate::serving
