#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "fake_backend.h"
#include "serving-runtime/api/oip/descriptions.h"
#include "serving-runtime/api/oip/grpc_messages.h"
#include "serving-runtime/api/oip/message_json.h"
#include "serving-runtime/api/oip/repository_api.h"
#include "serving-runtime/api/oip/rest_path.h"
#include "ticking_clock.h"

namespace tidegate::serving::oip {
namespace {

using model::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

// Gives back its one input, of any type, and offers an output that the protocol cannot carry.
class EchoModel : public LoadedModel {
 public:
  explicit EchoModel(DataType type) {
    model::TensorSpec in{"in", "in:0", type, false, {-1}}, out{"out", "out:0", type, false, {-1}};
    model::TensorSpec strange{"strange", "strange:0", DataType::kComplex64, true, {}};
    signatures_.push_back({"serving_default", "", {in}, {out}});
    signatures_.push_back({"with_strange", "", {in}, {out, strange}});
  }
  const std::vector<model::Signature>& signatures() const override { return signatures_; }
  absl::StatusOr<std::vector<Tensor>> run(size_t, std::span<Tensor> inputs, std::span<const uint64_t>) const override {
    std::vector<Tensor> results;
    results.push_back(std::move(inputs[0]));
    return results;
  }

 private:
  std::vector<model::Signature> signatures_;
};

class Messages : public testing::Test {
 protected:
  Messages() {
    auto alive = std::make_shared<std::atomic<int>>(0);
    serve("half", 1, std::make_unique<FakeModel>(absl::OkStatus(), alive));
    serve("half", 2, std::make_unique<FakeModel>(absl::OkStatus(), alive));
  }
  void serve(const std::string& name, int64_t version, std::unique_ptr<LoadedModel> model) {
    table_.models[name].versions[version] = {
        VersionState::kAvailable, {}, std::make_shared<const Servable>(name, version, "", "onnx", std::move(model))};
  }
  void serve_echo(DataType type) { serve("echo", 1, std::make_unique<EchoModel>(type)); }

  inference::ModelInferRequest request(std::string datatype, std::vector<int64_t> shape) {
    inference::ModelInferRequest request;
    request.set_model_name("echo");
    auto* input = request.add_inputs();
    input->set_name("in");
    input->set_datatype(std::move(datatype));
    for (int64_t size : shape) input->add_shape(size);
    return request;
  }
  absl::StatusOr<inference::ModelInferResponse> infer(const inference::ModelInferRequest& request) {
    Inference inference(clock_, clock_.uptime());
    inference::ModelInferResponse response;
    absl::Status result = model_infer(table_, request, response, inference);
    inference.end(result);
    if (!result.ok()) return result;
    return response;
  }
  std::string refused(const inference::ModelInferRequest& request) {
    return std::string(infer(request).status().message());
  }

  base::ManualClock clock_;
  ServableTable table_;
};

TEST_F(Messages, EveryTypeComesBackRawAsItWentIn) {
  for (const char* name : {"BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16",
                           "BF16", "FP32", "FP64"}) {
    DataType type = model::from_oip_name(name);
    serve_echo(type);
    auto asked = request(name, {2});
    std::string bytes(2 * model::size_of(type), '\1');
    asked.add_raw_input_contents(bytes);
    asked.set_id("7");
    auto answer = infer(asked);
    ASSERT_TRUE(answer.ok()) << name << ": " << answer.status();
    EXPECT_EQ(answer->raw_output_contents(0), bytes);
    EXPECT_EQ(answer->outputs(0).datatype(), name);
    EXPECT_EQ(answer->id(), "7");
  }
}

TEST_F(Messages, TypedContentsAreTakenFromTheFieldOfTheirType) {
  serve_echo(DataType::kInt8);
  auto asked = request("INT8", {2});
  asked.mutable_inputs(0)->mutable_contents()->add_int_contents(-128);
  EXPECT_THAT(refused(asked), HasSubstr("contents have 1 elements; shape [2] needs 2"));
  asked.mutable_inputs(0)->mutable_contents()->add_int_contents(127);
  EXPECT_EQ(infer(asked)->raw_output_contents(0), "\x80\x7f");
  asked.mutable_inputs(0)->mutable_contents()->set_int_contents(1, 128);
  EXPECT_THAT(refused(asked), HasSubstr("contents hold 128, which the datatype cannot"));
  asked.mutable_inputs(0)->mutable_contents()->set_int_contents(1, 1);
  asked.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(refused(asked), HasSubstr("contents are in a field that is not for datatype INT8"));
}

TEST_F(Messages, TypedContentsThatHalfPrecisionHasNotAreRefused) {
  serve_echo(DataType::kHalf);
  auto asked = request("FP16", {1});
  asked.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(refused(asked), HasSubstr("datatype FP16 has no typed contents; send it raw"));
}

TEST_F(Messages, StringsComeBackRawWithTheirLengths) {
  serve_echo(DataType::kString);
  auto asked = request("BYTES", {2});
  asked.mutable_inputs(0)->mutable_contents()->add_bytes_contents("ab");
  asked.mutable_inputs(0)->mutable_contents()->add_bytes_contents("");
  EXPECT_EQ(infer(asked)->raw_output_contents(0), std::string("\2\0\0\0ab\0\0\0\0", 10));
}

TEST_F(Messages, RawAndTypedContentsAreNotMixed) {
  serve_echo(DataType::kFloat);
  auto asked = request("FP32", {1});
  asked.add_raw_input_contents("1234");
  asked.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(refused(asked), HasSubstr("contents field must not be specified when using raw_input_contents for 'in' "
                                        "for model 'echo'"));
  asked.mutable_inputs(0)->clear_contents();
  asked.add_raw_input_contents("1234");
  EXPECT_THAT(refused(asked), HasSubstr("there are 1 inputs but 2 raw_input_contents"));
}

TEST_F(Messages, InputsAndOutputsAreRefusedByTheirNames) {
  serve_echo(DataType::kFloat);
  auto asked = request("FP32", {1});
  asked.add_raw_input_contents("1234");
  auto twice = asked;
  *twice.add_inputs() = asked.inputs(0);
  twice.add_raw_input_contents("1234");
  EXPECT_EQ(refused(twice), "input 'in' is there twice");
  auto outputs = asked;
  outputs.add_outputs()->set_name("out");
  outputs.add_outputs()->set_name("out");
  EXPECT_EQ(refused(outputs), "duplicate output tensor alias: out");
  outputs.mutable_outputs(1)->set_name("nope");
  EXPECT_THAT(refused(outputs), HasSubstr("output tensor alias not found in signature: nope"));
  auto huge = request("FP32", {4, (int64_t{1} << 60) + 2});
  huge.add_raw_input_contents("1234");
  EXPECT_THAT(refused(huge), HasSubstr("more elements than any tensor"));
}

TEST_F(Messages, AnOutputThatTheProtocolCannotCarryIsRefusedBeforeTheModelRuns) {
  serve_echo(DataType::kFloat);
  auto asked = request("FP32", {1});
  asked.add_raw_input_contents("1234");
  (*asked.mutable_parameters())["signature_name"].set_string_param("with_strange");
  EXPECT_THAT(refused(asked), HasSubstr("output 'strange' is of type complex64"));
  asked.add_outputs()->set_name("out");
  EXPECT_TRUE(infer(asked).ok());
}

TEST_F(Messages, ParametersAreHonouredOrRefusedByName) {
  serve_echo(DataType::kFloat);
  auto asked = request("FP32", {1});
  asked.add_raw_input_contents("1234");
  auto with = [&](const char* name, auto set) {
    auto changed = asked;
    set((*changed.mutable_parameters())[name]);
    return refused(changed);
  };
  EXPECT_THAT(with("priority", [](auto& p) { p.set_uint64_param(1); }), HasSubstr("'priority' is not offered"));
  EXPECT_EQ(with("priority", [](auto& p) { p.set_int64_param(0); }), "");
  EXPECT_THAT(with("sequence_id", [](auto& p) { p.set_string_param("a"); }), HasSubstr("'sequence_id' is not offered"));
  EXPECT_THAT(with("custom", [](auto& p) { p.set_double_param(1); }), HasSubstr("'custom' is unknown"));
  EXPECT_THAT(with("timeout", [](auto&) {}), HasSubstr("'timeout' has no value"));
  auto output = asked;
  output.add_outputs()->set_name("out");
  auto& classes = (*output.mutable_outputs(0)->mutable_parameters())["classification"];
  classes.set_string_param("1");
  EXPECT_THAT(refused(output), HasSubstr("output 'out' parameter 'classification' must be a whole number"));
  classes.set_int64_param(1);
  output.set_raw_input_contents(0, std::string("\0\0\x80\x3f", 4));
  EXPECT_EQ(infer(output)->raw_output_contents(0), std::string("\5\0\0\0"
                                                               "1.0:0",
                                                               9));
  EXPECT_EQ(infer(output)->outputs(0).datatype(), "BYTES");
}

TEST_F(Messages, WhatCannotBeClassifiedIsRefusedBeforeTheModelRuns) {
  serve_echo(DataType::kString);
  auto asked = request("BYTES", {0});
  asked.add_outputs()->set_name("out");
  (*asked.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(1);
  EXPECT_THAT(refused(asked), HasSubstr("output 'out' is of type string, which cannot be classified"));
}

TEST_F(Messages, ParametersOfTheBinaryExtensionAreTakenWhereTheyAreTrue) {
  serve_echo(DataType::kFloat);
  auto asked = request("FP32", {1});
  asked.add_raw_input_contents("1234");
  (*asked.mutable_parameters())["binary_data_output"].set_bool_param(true);
  asked.add_outputs()->set_name("out");
  (*asked.mutable_outputs(0)->mutable_parameters())["binary_data"].set_bool_param(true);
  auto& size = (*asked.mutable_inputs(0)->mutable_parameters())["binary_data_size"];
  size.set_int64_param(4);
  EXPECT_EQ(infer(asked)->raw_output_contents(0), "1234") << "as KServe's client sends it";
  size.set_int64_param(5);
  EXPECT_THAT(refused(asked), HasSubstr("'binary_data_size' must be the size of its raw_input_contents"));
  size.set_int64_param(4);
  asked.clear_raw_input_contents();
  asked.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(refused(asked), HasSubstr("'binary_data_size' must be the size of its raw_input_contents"));
}

TEST_F(Messages, ARequestThatWaitedLongerThanItsTimeoutIsNotRun) {
  serve_echo(DataType::kFloat);
  auto asked = request("FP32", {1});
  asked.add_raw_input_contents("1234");
  (*asked.mutable_parameters())["timeout"].set_int64_param(1000);
  absl::Duration arrived = clock_.uptime();
  clock_.advance(absl::Milliseconds(2));
  Inference inference(clock_, arrived);
  inference::ModelInferResponse response;
  absl::Status late = model_infer(table_, asked, response, inference);
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(late.message(), HasSubstr("waited 2000 us"));
}

TEST_F(Messages, AnErrorInAStreamNamesItsRequest) {
  serve_echo(DataType::kFloat);
  auto asked = request("FP32", {1});
  asked.set_id("9");
  asked.add_raw_input_contents("1234");
  Inference inference(clock_, clock_.uptime());
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(stream_infer(table_, asked, response, inference).ok());
  EXPECT_TRUE(response.infer_response().parameters().at("triton_final_response").bool_param());
  asked.set_raw_input_contents(0, "123");
  const absl::Status failed = stream_infer(table_, asked, response, inference);
  EXPECT_FALSE(failed.ok());
  refuse(asked, failed, response);
  EXPECT_THAT(response.error_message(), HasSubstr("3 raw bytes were sent"));
  EXPECT_EQ(response.infer_response().id(), "9");
  EXPECT_EQ(response.infer_response().outputs_size(), 0);
}

TEST_F(Messages, StatisticsTellWhatWasAskedAndWhereTheTimeWent) {
  TickingClock clock;
  serve_echo(DataType::kFloat);
  auto asked = request("FP32", {1});
  asked.add_raw_input_contents("1234");
  inference::ModelInferResponse response;
  {
    Inference inference(clock, clock.uptime());  // 1 ms of queue, then of input, infer and output
    inference.end(model_infer(table_, asked, response, inference));
  }
  {
    Inference inference(clock, clock.uptime());
    asked.set_raw_input_contents(0, "");
    inference.end(model_infer(table_, asked, response, inference));
  }
  inference::ModelStatisticsRequest question;
  question.set_name("echo");
  inference::ModelStatisticsResponse answer;
  ASSERT_TRUE(model_statistics(table_, question, answer).ok());
  nlohmann::ordered_json json = to_json(answer)["model_stats"][0];
  EXPECT_EQ(json.dump(),
            R"({"name":"echo","version":"1","last_inference":1700000000000,"inference_count":1,"execution_count":1,)"
            R"("inference_stats":{"success":{"count":1,"ns":4000000},"fail":{"count":1,"ns":2000000},)"
            R"("queue":{"count":1,"ns":1000000},"compute_input":{"count":1,"ns":1000000},)"
            R"("compute_infer":{"count":1,"ns":1000000},"compute_output":{"count":1,"ns":1000000},)"
            R"("cache_hit":{"count":0,"ns":0},"cache_miss":{"count":0,"ns":0}},)"
            R"("batch_stats":[{"batch_size":1,"compute_input":{"count":1,"ns":1000000},)"
            R"("compute_infer":{"count":1,"ns":1000000},"compute_output":{"count":1,"ns":1000000}}]})");
}

TEST_F(Messages, StatisticsAreOfOneVersionOfAllOrOfEverything) {
  serve_echo(DataType::kFloat);
  auto ask = [&](const char* name, const char* version) {
    inference::ModelStatisticsRequest question;
    question.set_name(name);
    question.set_version(version);
    inference::ModelStatisticsResponse answer;
    absl::Status result = model_statistics(table_, question, answer);
    return result.ok() ? answer.model_stats_size() : -static_cast<int>(result.code());
  };
  EXPECT_EQ(ask("half", "2"), 1);
  EXPECT_EQ(ask("half", ""), 2);
  EXPECT_EQ(ask("", ""), 3);
  EXPECT_EQ(ask("half", "9"), -static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_EQ(ask("nope", ""), -static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_EQ(ask("", "2"), -static_cast<int>(absl::StatusCode::kInvalidArgument));
}

TEST_F(Messages, TheConfigurationHasTritonsForm) {
  inference::ModelConfigRequest question;
  question.set_name("half");
  inference::ModelConfigResponse answer;
  ASSERT_TRUE(model_config(table_, question, answer).ok());
  EXPECT_EQ(to_json(answer.config()).dump(),
            R"({"name":"half","platform":"onnx_onnxv1","backend":"onnx","max_batch_size":0,)"
            R"("input":[{"name":"x","data_type":"TYPE_FP32","format":"FORMAT_NONE","dims":[-1],)"
            R"("is_shape_tensor":false,"optional":false}],)"
            R"("output":[{"name":"y","data_type":"TYPE_FP32","dims":[-1],"is_shape_tensor":false},)"
            R"({"name":"z","data_type":"TYPE_FP32","dims":[-1],"is_shape_tensor":false}],)"
            R"("model_transaction_policy":{"decoupled":false}})");
  serve_echo(DataType::kString);
  question.set_name("echo");
  answer.Clear();
  ASSERT_TRUE(model_config(table_, question, answer).ok());
  EXPECT_EQ(answer.config().input(0).data_type(), inference::TYPE_STRING);
}

TEST_F(Messages, TheIndexHasEveryVersionWithItsState) {
  table_.models["half"].versions[1] = {VersionState::kEnd, {}, nullptr};
  table_.models["half"].versions[3] = {VersionState::kEnd, absl::DataLossError("is no model"), nullptr};
  table_.models["half"].versions[4] = {VersionState::kLoading, {}, nullptr};
  table_.models["none"];
  auto index = [&](bool ready) {
    inference::RepositoryIndexRequest question;
    question.set_ready(ready);
    inference::RepositoryIndexResponse answer;
    EXPECT_TRUE(repository_index(table_, question, answer).ok());
    std::vector<std::string> lines;
    for (const auto& one : answer.models()) {
      lines.push_back(base::cat(one.name(), " ", one.version(), " ", one.state(), " ", one.reason()));
    }
    return lines;
  };
  EXPECT_THAT(index(false), ElementsAre("half 4 LOADING ", "half 3 UNAVAILABLE is no model", "half 2 READY ",
                                        "half 1 UNAVAILABLE unloaded", "none  UNAVAILABLE "));
  EXPECT_THAT(index(true), ElementsAre("half 2 READY "));
}

class FakeControl : public ModelControl {
 public:
  void load(const std::string& name, Done done) override { answer("load " + name, std::move(done)); }
  void unload(const std::string& name, Done done) override { answer("unload " + name, std::move(done)); }

  std::vector<std::string> calls;
  absl::Status result;

 private:
  void answer(std::string call, Done done) {
    calls.push_back(std::move(call));
    done(result);
  }
};

absl::Status load(ModelControl* control, std::string_view body) {
  auto request = parse_load_request(body);
  if (!request.ok()) return request.status();
  request->set_model_name("m");
  absl::Status result = absl::UnknownError("no answer");
  load_model(control, *request, [&](absl::Status status) { result = std::move(status); });
  return result;
}

absl::Status unload(ModelControl* control, std::string_view body) {
  auto request = parse_unload_request(body);
  if (!request.ok()) return request.status();
  request->set_model_name("m");
  absl::Status result = absl::UnknownError("no answer");
  unload_model(control, *request, [&](absl::Status status) { result = std::move(status); });
  return result;
}

TEST(ModelControlRequests, PassTheNameOnAndTheResultBack) {
  FakeControl control;
  EXPECT_TRUE(load(&control, "").ok());
  EXPECT_TRUE(unload(&control, R"({"parameters":{"unload_dependents":false}})").ok());
  control.result = absl::NotFoundError("there is no model m");
  EXPECT_EQ(load(&control, "{}"), control.result);
  EXPECT_THAT(control.calls, ElementsAre("load m", "unload m", "load m"));
}

TEST(ModelControlRequests, AreRefusedWhenControlIsOff) {
  EXPECT_EQ(load(nullptr, "").code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(unload(nullptr, "").message(), HasSubstr("explicit model control is off"));
}

TEST(ModelControlRequests, RefuseWhatTheyWouldIgnore) {
  FakeControl control;
  EXPECT_EQ(load(&control, R"({"parameters":{"config":"{}"}})").code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(load(&control, R"({"parameters":{"file:1/model.onnx":"AA=="}})").message(),
              HasSubstr("load parameter 'file:1/model.onnx' is not offered"));
  EXPECT_THAT(load(&control, R"({"parameters":{"x":1}})").message(), HasSubstr("load parameter 'x' is unknown"));
  EXPECT_THAT(load(&control, R"({"config":{}})").message(), HasSubstr("member 'config' is unknown"));
  EXPECT_THAT(load(&control, "{").message(), HasSubstr("JSON Parse error"));
  EXPECT_THAT(unload(&control, R"({"parameters":{"unload_dependents":1}})").message(),
              HasSubstr("must be true or false"));
  EXPECT_TRUE(control.calls.empty());
}

TEST(RepositoryIndexRequest, ReadsItsBody) {
  EXPECT_FALSE(parse_index_request("")->ready());
  EXPECT_FALSE(parse_index_request(R"({"ready":null})")->ready());
  EXPECT_TRUE(parse_index_request(R"({"ready":true})")->ready());
  EXPECT_THAT(parse_index_request(R"({"ready":1})").status().message(), HasSubstr("ready must be true or false"));
  EXPECT_FALSE(parse_index_request("{}{}").ok());
  inference::RepositoryIndexResponse response;
  EXPECT_EQ(repository_index({}, *parse_index_request(R"({"repository_name":"r"})"), response).code(),
            absl::StatusCode::kUnimplemented);
}

TEST(OipRestPath, IsReadWithEscapesAndVersions) {
  auto is = [](std::string_view path, Verb verb, std::string_view model, std::string_view version) {
    auto parsed = parse_rest_path(path);
    return parsed.ok() && parsed->verb == verb && parsed->model == model && parsed->version == version;
  };
  EXPECT_TRUE(is("/v2", Verb::kServer, "", ""));
  EXPECT_TRUE(is("/v2/models/a%2fb", Verb::kMetadata, "a/b", ""));
  EXPECT_TRUE(is("/v2/models/m/versions/7/infer", Verb::kInfer, "m", "7"));
  EXPECT_TRUE(is("/v2/models/m/config", Verb::kConfig, "m", ""));
  EXPECT_TRUE(is("/v2/models/stats", Verb::kStatistics, "", ""));
  EXPECT_TRUE(is("/v2/models/stats/versions/1", Verb::kMetadata, "stats", "1"));
  EXPECT_TRUE(is("/v2/repository/index", Verb::kIndex, "", ""));
  EXPECT_TRUE(is("/v2/repository/models/m/unload", Verb::kUnload, "m", ""));
  for (const char* path : {"/v2/models", "/v2/models/", "/v2/models/m/nope", "/v2/models/m/infer/x", "/v2/models/%zz",
                           "/v2/models/m/versions", "/v2/repository", "/v2/repository/models/m", "/v2/trace/setting"}) {
    EXPECT_EQ(parse_rest_path(path).status().code(), absl::StatusCode::kNotFound) << path;
  }
}

}  // namespace
}  // namespace tidegate::serving::oip
