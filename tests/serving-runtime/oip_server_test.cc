// The Open Inference Protocol over the two doors: REST answers as a client sees them, and a real gRPC server.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/strings.h"
#include "fake_backend.h"
#include "open_inference.grpc.pb.h"
#include "serving-runtime/api/oip/rest_api.h"
#include "serving-runtime/server/grpc_server.h"

namespace tidegate::serving {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

// Keeps what it is asked until the test answers.
class HeldControl : public ModelControl {
 public:
  void load(const std::string& name, Done done) override { hold("load " + name, std::move(done)); }
  void unload(const std::string& name, Done done) override { hold("unload " + name, std::move(done)); }

  // For the next call.
  void wait() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(called_.wait_for(lock, std::chrono::seconds(30), [&] { return done_ != nullptr; }));
  }
  // Waits for it and answers it.
  std::string answer(absl::Status result) {
    wait();
    std::unique_lock lock(mutex_);
    std::exchange(done_, nullptr)(std::move(result));
    return call_;
  }

 private:
  void hold(std::string call, Done done) {
    std::lock_guard lock(mutex_);
    call_ = std::move(call);
    done_ = std::move(done);
    called_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable called_;
  std::string call_;
  Done done_;
};

class Doors : public testing::Test {
 protected:
  Doors() {
    auto alive = std::make_shared<std::atomic<int>>(0);
    auto model =
        std::make_shared<const Servable>("half", 3, "", "fake", std::make_unique<FakeModel>(absl::OkStatus(), alive));
    directory_.update([&](ServableTable& table) {
      table.models["half"].versions[3] = {VersionState::kAvailable, {}, std::move(model)};
    });
  }

  net::ServerResponse ask(std::string method, std::string target, std::string body = "", net::Headers headers = {}) {
    net::ServerRequest request{std::move(method), std::move(target), std::move(headers), std::move(body), ""};
    net::ServerResponse answer;
    oip::RestApi(context_).handle(std::move(request),
                                  net::Responder([&](net::ServerResponse sent) { answer = std::move(sent); }));
    return answer;
  }
  json get(const std::string& target) { return json::parse(ask("GET", target).body); }

  ServableDirectory directory_;
  // More slots than the server has threads: an answer may be read before its slot is free again.
  InferenceGate gate_{{4, 0}, [](const InferenceGate::Work& work) { work(); }};
  RequestMetrics metrics_;
  base::ManualClock clock_;
  FrontEndContext context_{directory_, gate_, metrics_, clock_};
};

constexpr const char* kBody =
    R"({"id":"1","inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[2,4]}],"outputs":[{"name":"z"},{"name":"y"}]})";

TEST_F(Doors, RestTellsWhatItOffersAndWhatItServes) {
  EXPECT_EQ(get("/v2")["extensions"],
            json::array({"binary_tensor_data", "classification", "model_configuration", "model_repository",
                         "model_repository(unload_dependents)", "statistics"}));
  EXPECT_EQ(get("/v2/models/half")["versions"], json::array({"3"}));
  EXPECT_EQ(get("/v2/models/half/versions/3/config")["backend"], "fake");
  EXPECT_EQ(get("/v2/models/half/ready"), json({{"name", "half"}, {"ready", true}}));
  EXPECT_EQ(json::parse(ask("POST", "/v2/repository/index").body),
            json::parse(R"([{"name":"half","version":"3","state":"READY","reason":""}])"));
  for (const char* path : {"/v2/models/nope", "/v2/models/nope/config", "/v2/models/nope/stats",
                           "/v2/models/nope/ready", "/v2/models/half/versions/4"}) {
    EXPECT_EQ(ask("GET", path).status, 404) << path;
  }
  EXPECT_EQ(ask("GET", "/v2/models/half/versions/x/ready").status, 400);
}

TEST_F(Doors, RestAnswersTheOutputsInTheOrderAskedAndCountsThem) {
  EXPECT_EQ(ask("POST", "/v2/models/half/infer", kBody).body,
            R"({"model_name":"half","model_version":"3","id":"1","outputs":[)"
            R"({"name":"z","datatype":"FP32","shape":[2],"data":[-2.0,-4.0]},)"
            R"({"name":"y","datatype":"FP32","shape":[2],"data":[3.0,4.0]}]})");
  EXPECT_EQ(ask("POST", "/v2/models/half/infer", "{").status, 400);
  json stats = get("/v2/models/stats")["model_stats"][0]["inference_stats"];
  EXPECT_EQ(stats["success"]["count"], 1);
  EXPECT_EQ(stats["fail"]["count"], 1);
}

TEST_F(Doors, RestClassifiesTheOutputsThatItIsAskedTo) {
  constexpr const char* kQuestion =
      R"({"inputs":[{"name":"x","shape":[3],"datatype":"FP32","data":[2,6,4]}],"outputs":[)"
      R"({"name":"y","parameters":{"classification":2}},{"name":"z","parameters":{"classification":0}}]})";
  EXPECT_EQ(json::parse(ask("POST", "/v2/models/half/infer", kQuestion).body)["outputs"],
            json::parse(R"([{"name":"y","datatype":"BYTES","shape":[2],"data":["5.0:1","4.0:2"]},)"
                        R"({"name":"z","datatype":"FP32","shape":[3],"data":[-2.0,-6.0,-4.0]}])"));
}

TEST_F(Doors, RestTakesABodyThatIsOneRawTensor) {
  net::ServerResponse answer =
      ask("POST", "/v2/models/half/infer", std::string("\0\0\0\x40", 4), {{"inference-header-content-length", "0"}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.content_type, "application/octet-stream");
  EXPECT_THAT(answer.body, testing::EndsWith(std::string("\0\0\x40\x40\0\0\0\xc0", 8)));
}

TEST_F(Doors, RestRefusesAMethodThatAPathDoesNotHave) {
  net::ServerResponse answer = ask("GET", "/v2/models/half/infer");
  EXPECT_EQ(answer.status, 405);
  EXPECT_THAT(answer.headers, ElementsAre(std::pair<std::string, std::string>("Allow", "POST")));
  answer = ask("POST", "/v2");
  EXPECT_EQ(answer.status, 405);
  EXPECT_THAT(answer.headers, ElementsAre(std::pair<std::string, std::string>("Allow", "GET, HEAD")));
  EXPECT_EQ(ask("GET", "/v2/repository/index").status, 405);
}

TEST_F(Doors, RestTakesHeadWhereItTakesGet) {
  EXPECT_EQ(ask("HEAD", "/v2/models/half/ready").status, 200);
  EXPECT_EQ(ask("HEAD", "/v2/models/nope").status, 404);
  EXPECT_EQ(ask("HEAD", "/v2/models/half/infer").status, 405);
}

TEST_F(Doors, RestRefusesTensorsThatAreThereTwice) {
  constexpr const char* kInput = R"({"name":"x","shape":[1],"datatype":"FP32","data":[2]})";
  auto refused = [&](std::string body) {
    net::ServerResponse answer = ask("POST", "/v2/models/half/infer", std::move(body));
    EXPECT_EQ(answer.status, 400);
    return answer.body;
  };
  EXPECT_EQ(refused(base::cat(R"({"inputs":[)", kInput, ",", kInput, "]}")), R"({"error":"input 'x' is there twice"})");
  EXPECT_EQ(refused(base::cat(R"({"inputs":[)", kInput, R"(],"outputs":[{"name":"y"},{"name":"y"}]})")),
            R"({"error":"duplicate output tensor alias: y"})");
  EXPECT_THAT(refused(base::cat(R"({"inputs":[)", kInput, R"(],"outputs":[{"name":"q"}]})")),
              HasSubstr("signature: q"));
}

TEST_F(Doors, RestTakesAndGivesNotANumber) {
  std::string body = R"({"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[NaN,-Infinity]}]})";
  EXPECT_THAT(ask("POST", "/v2/models/half/infer", body).body, HasSubstr(R"("data":[NaN,-Infinity])"));
}

TEST_F(Doors, RestLoadsAndUnloadsWhenControlIsOn) {
  EXPECT_EQ(ask("POST", "/v2/repository/models/half/load").status, 503);
  HeldControl control;
  context_.control = &control;
  net::ServerResponse answer;
  net::ServerRequest request{"POST", "/v2/repository/models/half/unload", {}, "", ""};
  oip::RestApi(context_).handle(std::move(request),
                                net::Responder([&](net::ServerResponse sent) { answer = std::move(sent); }));
  EXPECT_EQ(control.answer(absl::NotFoundError("no model half")), "unload half");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, R"({"error":"no model half"})");
  EXPECT_EQ(ask("POST", "/v2/repository/models/half/load", "[]").status, 400);
}

class GrpcDoor : public Doors {
 protected:
  explicit GrpcDoor(GrpcServerOptions options = {}) {
    options.address = "127.0.0.1";
    context_.control = &control_;
    auto started = start_grpc_server(options, context_, {tokens_, [] { return true; }, {}});
    EXPECT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    channel_ = grpc::CreateChannel(base::cat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
  }
  ~GrpcDoor() override { server_->drain(absl::InfinitePast()); }

  static inference::ModelInferRequest request(const std::string& id) {
    inference::ModelInferRequest request;
    request.set_model_name("half");
    request.set_id(id);
    auto* input = request.add_inputs();
    input->set_name("x");
    input->set_datatype("FP32");
    input->add_shape(1);
    input->mutable_contents()->add_fp32_contents(2);
    return request;
  }

  HeldControl control_;
  AccessTokens tokens_;
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  grpc::ClientContext call_;
};

TEST_F(GrpcDoor, AStreamAnswersEachRequestAndGoesOnAfterAnError) {
  auto stream = stub_->ModelStreamInfer(&call_);
  inference::ModelStreamInferResponse answer;
  for (const char* id : {"a", "b", "c"}) {
    inference::ModelInferRequest asked = request(id);
    if (*id == 'b') asked.set_model_name("nope");
    ASSERT_TRUE(stream->Write(asked));
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.infer_response().id(), id);
    ASSERT_EQ(answer.error_message().empty(), *id != 'b') << answer.error_message();
  }
  EXPECT_EQ(answer.infer_response().raw_output_contents(0), std::string("\0\0\x40\x40", 4));
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcDoor, AStreamNeedsATokenWhereThereAreSome) {
  tokens_.replace({"secret"});
  auto refused = stub_->ModelStreamInfer(&call_);
  inference::ModelStreamInferResponse answer;
  EXPECT_FALSE(refused->Read(&answer));
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  grpc::ClientContext with_token;
  with_token.AddMetadata("authorization", "Bearer secret");
  auto stream = stub_->ModelStreamInfer(&with_token);
  ASSERT_TRUE(stream->Write(request("a")));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.infer_response().id(), "a");
  tokens_.replace({"another"});
  stream->Write(request("b"));
  EXPECT_FALSE(stream->Read(&answer)) << "a token that is no longer good ends the stream too";
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(GrpcDoor, AnIdleStreamEndsWithTheServer) {
  auto stream = stub_->ModelStreamInfer(&call_);
  inference::ModelStreamInferResponse answer;
  ASSERT_TRUE(stream->Write(request("a")));
  ASSERT_TRUE(stream->Read(&answer));
  server_->drain(absl::InfiniteFuture());
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GrpcDoor, EndsAfterWhatItHasHandedOut) {
  grpc::ClientContext call;
  std::thread client([&] {
    inference::RepositoryModelLoadRequest request;
    request.set_model_name("half");
    inference::RepositoryModelLoadResponse response;
    stub_->RepositoryModelLoad(&call, request, &response);
  });
  control_.wait();
  std::thread drain([&] { server_->drain(absl::InfinitePast()); });
  client.join();  // it was cancelled
  control_.answer(absl::OkStatus());
  drain.join();
}

class WideGrpcDoor : public GrpcDoor {
 protected:
  WideGrpcDoor() : GrpcDoor({.max_message_bytes = uint64_t{3} << 30}) {}
};

TEST_F(WideGrpcDoor, TakesLargeMessagesUnderALimitThatGrpcCannotCountTo) {
  inference::ModelInferRequest asked;
  asked.set_model_name("none");
  asked.add_raw_input_contents(std::string(5 << 20, 'x'));
  inference::ModelInferResponse answer;
  const grpc::Status status = stub_->ModelInfer(&call_, asked, &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND) << status.error_message();
}

TEST_F(GrpcDoor, ARequestWhoseDeadlineHasPassedIsNotRun) {
  call_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  clock_.advance(absl::Hours(24 * 365 * 100));  // the server's time, not ours
  inference::ModelInferResponse answer;
  grpc::Status late = stub_->ModelInfer(&call_, request("a"), &answer);
  EXPECT_EQ(late.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(late.error_message(), HasSubstr("before the request's turn came"));
}

TEST_F(GrpcDoor, NorIsOneOfAStreamWhoseDeadlineHasPassed) {
  call_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  clock_.advance(absl::Hours(24 * 365 * 100));
  auto stream = stub_->ModelStreamInfer(&call_);
  inference::ModelStreamInferResponse answer;
  ASSERT_TRUE(stream->Write(request("a")));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_THAT(answer.error_message(), HasSubstr("before the request's turn came"));
  EXPECT_EQ(answer.infer_response().id(), "a");
}

TEST_F(GrpcDoor, AnErrorThatQuotesALongNameStillArrives) {
  inference::ModelInferRequest asked = request("a");
  asked.set_model_name(std::string(100'000, 'x'));
  inference::ModelInferResponse answer;
  grpc::Status refused = stub_->ModelInfer(&call_, asked, &answer);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::NOT_FOUND) << refused.error_message();
  EXPECT_THAT(refused.error_message(), testing::EndsWith("xxx…"));
}

TEST_F(GrpcDoor, AMethodThatIsNotThereIsNamed) {
  grpc::GenericStub stub(channel_);
  for (const char* method : {"/inference.GRPCInferenceService/SystemSharedMemoryStatus", "/a.B/C"}) {
    grpc::ClientContext call;
    const grpc::Slice nothing("");
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer answer;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&call, method, {}, &request, &answer,
                   [&](grpc::Status status) { done.set_value(std::move(status)); });
    const grpc::Status status = done.get_future().get();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_EQ(status.error_message(), base::cat("There is no method ", method, " here"));
  }
}

TEST_F(GrpcDoor, LoadingAnswersWhenTheModelIsThere) {
  inference::RepositoryModelLoadRequest asked;
  inference::RepositoryModelLoadResponse answer;
  asked.set_model_name("new");
  std::thread loader([&] { EXPECT_EQ(control_.answer(absl::OkStatus()), "load new"); });
  EXPECT_TRUE(stub_->RepositoryModelLoad(&call_, asked, &answer).ok());
  loader.join();
}

TEST_F(GrpcDoor, UnloadingWithAnUnknownParameterIsRefused) {
  inference::RepositoryModelUnloadRequest asked;
  inference::RepositoryModelUnloadResponse answer;
  asked.set_model_name("half");
  (*asked.mutable_parameters())["force"].set_bool_param(true);
  grpc::Status refused = stub_->RepositoryModelUnload(&call_, asked, &answer);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused.error_message(), "unload parameter 'force' is unknown");
}

}  // namespace
}  // namespace tidegate::serving
