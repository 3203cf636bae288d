// What is written down of a request on its way through a front end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "fake_backend.h"
#include "serving-runtime/api/front_end.h"
#include "ticking_clock.h"

namespace tidegate::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Keeps the records that it is given.
class KeepingRecorder : public RequestRecorder {
 public:
  std::unique_ptr<RequestRecord> begin(std::optional<double> rate) override {
    rates.push_back(rate);
    auto record = std::make_unique<RequestRecord>();
    record->max_payload_bytes = 1000;
    return record;
  }
  void take(std::unique_ptr<RequestRecord> record) override { records.push_back(std::move(record)); }
  Counts counts() const override { return {}; }

  std::vector<std::optional<double>> rates;
  std::vector<std::unique_ptr<RequestRecord>> records;
};

class RecordedInferenceTest : public testing::Test {
 protected:
  RecordedInferenceTest() {
    context_.recorder = &recorder_;
    serve(absl::OkStatus(), std::nullopt);
  }
  void serve(absl::Status run_failure, std::optional<double> rate) {
    auto servable = fake_servable("m", 3, std::move(run_failure));
    servable->set_record_rate(rate);
    directory_.update([&](ServableTable& table) {
      table.models["m"].versions[3] = {VersionState::kAvailable, absl::OkStatus(), servable};
    });
  }
  void ask(const std::string& model, const std::string& input) {
    Inference inference = context_.begin(clock_.uptime());
    absl::Status result = inference.choose(directory_, {model, {}, {}});
    if (result.ok()) {
      const auto* signature = inference.servable()->find_signature("");
      result = inference.predict(*signature, one_input(input, floats({2, 4})), {"y"}).status();
    }
    context_.end(
        inference, result,
        {Api::kTfsGrpc, Operation::kPredict, "id-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"});
  }

  TickingClock clock_;
  ServableDirectory directory_;
  RequestMetrics metrics_;
  InferenceGate gate_{{1, 1}, [](InferenceGate::Work) {}};
  FrontEndContext context_{directory_, gate_, metrics_, clock_};
  KeepingRecorder recorder_;
};

TEST_F(RecordedInferenceTest, NotesInputsOutputsAndWhoAsked) {
  ask("m", "x");
  ASSERT_THAT(recorder_.records, SizeIs(1));
  const RequestRecord& record = *recorder_.records[0];
  EXPECT_EQ(record.api, Api::kTfsGrpc);
  EXPECT_EQ(record.model, "m");
  EXPECT_EQ(record.version, 3);
  EXPECT_EQ(record.request_id, "id-1");
  EXPECT_THAT(record.traceparent, HasSubstr("4bf92f"));
  EXPECT_TRUE(record.status.ok());
  EXPECT_EQ(record.queued, absl::Milliseconds(1));
  EXPECT_GT(record.latency, absl::ZeroDuration());
  ASSERT_THAT(record.runs, SizeIs(1));
  EXPECT_EQ(record.runs[0].signature, "serving_default");
  EXPECT_THAT(to_vector(record.runs[0].inputs[0].tensor), ElementsAre(2, 4));
  EXPECT_THAT(to_vector(record.runs[0].outputs[0].tensor), ElementsAre(3, 4));
}

TEST_F(RecordedInferenceTest, NotesTheFailuresOfModelsAndClients) {
  serve(absl::InternalError("broken"), 0.5);
  ask("m", "x");
  ask("m", "wrong");
  ask("none", "x");
  ASSERT_THAT(recorder_.records, SizeIs(2));  // of a model that is not there, there is nothing to say
  EXPECT_EQ(recorder_.rates[0], 0.5);
  EXPECT_TRUE(recorder_.records[0]->model_error);
  EXPECT_THAT(recorder_.records[0]->runs[0].outputs, IsEmpty());
  EXPECT_FALSE(recorder_.records[1]->model_error);
  EXPECT_EQ(recorder_.records[1]->status.code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tidegate::serving
