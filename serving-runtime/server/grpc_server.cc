#include "serving-runtime/server/grpc_server.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <limits>
#include <shared_mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "health.grpc.pb.h"
#include "net/grpc_credentials.h"
#include "net/listening.h"
#include "open_inference.grpc.pb.h"
#include "serving-runtime/api/admission.h"
#include "serving-runtime/api/oip/descriptions.h"
#include "serving-runtime/api/oip/grpc_messages.h"
#include "serving-runtime/api/oip/repository_api.h"
#include "serving-runtime/api/tfs/example_messages.h"
#include "serving-runtime/api/tfs/grpc_messages.h"
#include "serving-runtime/core/trace_context.h"
#include "serving-runtime/server/grpc_call.h"
#include "serving-runtime/server/grpc_stream.h"
#include "serving-runtime/server/grpc_unknown.h"
#include "tensorflow_serving.grpc.pb.h"

namespace tidegate::serving {
namespace {

namespace tfs_pb = tensorflow::serving;

// Calls of one method that wait for a request; more would only cost memory.
constexpr int kWaitingCalls = 32;

// What a new connection may take until it speaks HTTP/2, as long as a request on the REST port.
constexpr int kHandshakeMilliseconds = 60'000;

// gRPC counts no further; it would take a larger number for a negative one, which means 4 MiB.
constexpr uint64_t kLargestLimit = std::numeric_limits<int>::max();

// Which model a request is for; of several tasks the first one's.
template <class Request>
std::string_view model_of(const Request& request) {
  if constexpr (requires { request.model_spec(); }) {
    return request.model_spec().name();
  } else if constexpr (requires { request.model_name(); }) {
    return request.model_name();
  } else if constexpr (requires { request.tasks(); }) {
    return request.tasks().empty() ? "" : std::string_view(request.tasks(0).model_spec().name());
  } else {
    return request.name();
  }
}

// The health check names services; all are there as soon as the server is ready.
bool is_service(std::string_view name) {
  for (const char* service : {tfs_pb::PredictionService::service_full_name(), tfs_pb::ModelService::service_full_name(),
                              inference::GRPCInferenceService::service_full_name()}) {
    const std::string_view full = service;
    // TensorFlow Serving's are known by their last name alone.
    if (name == full || name == full.substr(full.rfind('.') + 1)) return true;
  }
  return name.empty();
}

// Proxies ask every few seconds whether the server is there, also during a prediction of minutes; by default gRPC takes
// that for an attack and hangs up.
constexpr int kLeastPingMilliseconds = 4000;

void set_arguments(grpc::ServerBuilder& builder, const GrpcServerOptions& options) {
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kLeastPingMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);  // statistics of each call that no one can ask for
  for (const auto& [key, value] : options.channel_arguments) {
    int number = 0;
    if (absl::SimpleAtoi(value, &number)) {
      builder.AddChannelArgument(key, number);
    } else {
      builder.AddChannelArgument(key, value);
    }
  }
}

// Its lines would be none of JSON where ours are.
void log_as_we_do(gpr_log_func_args* line) {
  const bool error = line->severity == GPR_LOG_SEVERITY_ERROR;
  base::log(error ? base::LogLevel::kError : base::LogLevel::kDebug, "gRPC", {{"says", line->message}});
}

// gRPC says that it has no port, but not why.
absl::Status check_port(const GrpcServerOptions& options) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::acceptor acceptor(context);
  return net::bind_to(acceptor, options.address, options.port);
}

class QueueServer : public GrpcServer {
 public:
  QueueServer(FrontEndContext& context, GrpcServerHooks hooks) : context_(context), hooks_(std::move(hooks)) {}
  ~QueueServer() override { drain(absl::InfinitePast()); }

  absl::Status start(const GrpcServerOptions& options) {
    if (options.port != 0) TG_RETURN_IF_ERROR(check_port(options));
    gpr_set_log_function(log_as_we_do);
    grpc::ServerBuilder builder;
    int port = 0;
    const std::string address = net::host_and_port(options.address, options.port);
    const auto security = credentials(options);
    builder.AddListeningPort(address, security, &port);
    int unix_socket = 1;  // as gRPC calls the port of one that it has
    if (!options.socket_path.empty()) {
      builder.AddListeningPort(base::cat("unix:", options.socket_path), security, &unix_socket);
    }
    builder.SetMaxReceiveMessageSize(static_cast<int>(std::min<uint64_t>(options.max_message_bytes, kLargestLimit)));
    builder.SetMaxSendMessageSize(-1);
    set_arguments(builder, options);
    builder.RegisterService(&predictions_);
    builder.RegisterService(&models_);
    builder.RegisterService(&inference_);
    builder.RegisterService(&health_);
    builder.RegisterAsyncGenericService(&others_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    if (!server_ || port == 0 || unix_socket == 0) {
      if (queue_) discard_queue();
      return cannot_listen(options);
    }
    port_ = static_cast<uint16_t>(port);
    offer_tensorflow_serving();
    offer_open_inference();
    offer_health();
    UnknownCall::listen(wait_for_unknown_, open_calls_);
    for (size_t i = 0; i < options.threads; ++i) {
      threads_.emplace_back([this, takes = options.takes] { poll(takes); });
    }
    return absl::OkStatus();
  }

  uint16_t port() const override { return port_; }

  void drain(absl::Time deadline) override {
    if (!server_) return;
    open_streams_.close();
    // gRPC takes a time before 1970 for one that never comes.
    server_->Shutdown(absl::ToChronoTime(std::max(deadline, absl::UnixEpoch())));
    {
      std::unique_lock lock(listening_mutex_);
      listening_ = false;
    }
    open_calls_.wait();
    queue_->Shutdown();
    for (std::thread& thread : threads_) thread.join();
    server_.reset();
  }

 private:
  // gRPC does not say on which of the two.
  static absl::Status cannot_listen(const GrpcServerOptions& options) {
    const std::string path = options.socket_path.empty() ? "" : base::cat(" or on ", options.socket_path);
    return absl::UnavailableError(
        base::cat("Cannot listen on ", net::host_and_port(options.address, options.port), path, " for gRPC"));
  }

  static std::shared_ptr<grpc::ServerCredentials> credentials(const GrpcServerOptions& options) {
    if (options.credentials) return options.credentials;
    return grpc::InsecureServerCredentials();
  }

  template <class Request, class Response>
  using Handle = std::function<void(UnaryCall<Request, Response>&)>;

  // Probes need no token.
  enum class Access { kToken, kOpen };

  // Keeps the method for as long as the server lives and starts to wait for its requests.
  template <class Service, class Base, class Request, class Response>
  void offer(Service& service,
             void (Base::*wait)(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                                grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
             Handle<Request, Response> handle, Access access = Access::kToken) {
    using Call = UnaryCall<Request, Response>;
    auto method = std::make_shared<typename Call::Method>();
    method->handle = [this, access, handle = std::move(handle)](Call& call) {
      // gRPC makes a map of all headers for whoever asks for one.
      if (access == Access::kToken && !hooks_.tokens.open()) {
        const absl::Status allowed = hooks_.tokens.check(call.header("authorization"));
        if (!allowed.ok()) return call.finish(allowed);
      }
      handle(call);
    };
    method->open = &open_calls_;
    method->listen = [this, &service, wait](auto* context, auto* request, auto* writer, QueueTag* tag) {
      return while_listening([&] { (service.*wait)(context, request, writer, queue_.get(), queue_.get(), tag); });
    };
    keep_and_listen<Call>(std::move(method));
  }

  // The same for a method of streams.
  template <class Service, class Base, class Request, class Response>
  void offer_stream(Service& service,
                    void (Base::*wait)(grpc::ServerContext*, grpc::ServerAsyncReaderWriter<Response, Request>*,
                                       grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                    std::type_identity_t<std::function<void(StreamCall<Request, Response>&)>> handle) {
    using Call = StreamCall<Request, Response>;
    auto method = std::make_shared<typename Call::Method>();
    method->handle = std::move(handle);
    method->admit = [this](const Call& call) { return hooks_.tokens.check(call.header("authorization")); };
    method->streams = &open_streams_;
    method->open = &open_calls_;
    method->listen = [this, &service, wait](auto* context, auto* stream, QueueTag* tag) {
      return while_listening([&] { (service.*wait)(context, stream, queue_.get(), queue_.get(), tag); });
    };
    keep_and_listen<Call>(std::move(method));
  }

  template <class Call>
  void keep_and_listen(std::shared_ptr<typename Call::Method> method) {
    methods_.push_back(method);
    for (int i = 0; i < kWaitingCalls; ++i) Call::listen(*method);
  }

  // False, and nothing done, when the server takes no more: waiting on a queue that is shut down would abort.
  template <class Wait>
  bool while_listening(Wait wait) {
    std::shared_lock lock(listening_mutex_);
    if (listening_) wait();
    return listening_;
  }

  template <class Request, class Response>
  Handle<Request, Response> prediction(Api api, Operation operation,
                                       absl::Status (*run)(const ServableFinder&, const Request&, Response&,
                                                           Inference&)) {
    return running<Request, Response>(api, operation, run);
  }

  // One of TensorFlow Serving's, whose rules can differ.
  template <class Request, class Response>
  Handle<Request, Response> prediction(Operation operation,
                                       absl::Status (*run)(const ServableFinder&, const Request&, Response&, Inference&,
                                                           const tfs::Rules&)) {
    return running<Request, Response>(
        Api::kTfsGrpc, operation,
        [run, rules = context_.rules](const ServableFinder& servables, const Request& request, Response& response,
                                      Inference& inference) {
          return run(servables, request, response, inference, rules);
        });
  }

  template <class Request, class Response, class Run>
  Handle<Request, Response> running(Api api, Operation operation, Run run) {
    return [this, api, operation, run](UnaryCall<Request, Response>& call) {
      predict(
          call, api, operation,
          [run](auto& asked, const ServableFinder& servables, Inference& inference) {
            return run(servables, asked.request(), asked.response(), inference);
          },
          [](auto& answered, const Servable* servable, const absl::Status& result) {
            if (servable) answered.add_header("x-tidegate-model-version", servable->version_text());
            if (is_model_error(result)) answered.add_trailer("x-tidegate-error", "model");
            Cohort::answer([&answered, result] { answered.finish(result); });
          });
    };
  }

  // A prediction of a stream, of which the version and the error are in the answer.
  void predict_next(StreamCall<inference::ModelInferRequest, inference::ModelStreamInferResponse>& call) {
    predict(
        call, Api::kOipGrpc, Operation::kPredict,
        [](auto& asked, const ServableFinder& servables, Inference& inference) {
          return oip::stream_infer(servables, asked.request(), asked.response(), inference);
        },
        [](auto& answered, const Servable* /*servable*/, const absl::Status& result) {
          if (!result.ok()) oip::refuse(answered.request(), result, answered.response());
          Cohort::answer([&answered] { answered.answer(); });
        });
  }

  // Waits for a slot, runs what fills the answer in, counts it, and sends the answer: with the version that was asked,
  // or null, and what came of it, also when the request was turned away.
  template <class Call, class Run, class Send>
  void predict(Call& call, Api api, Operation operation, Run run, Send send) {
    const auto work = [this, api, operation, run, send, arrived = context_.clock.uptime(), &call] {
      Inference inference = context_.begin(arrived);
      absl::Status result = check_deadline(call.deadline());
      if (result.ok()) result = run(call, context_.directory, inference);
      context_.end(inference, result, origin_of(call, api, operation, result));
      send(call, inference.servable(), result);
    };
    admit(context_, {api, model_of(call.request()), call.request().ByteSizeLong(), call.deadline()}, work,
          [&call, send](const absl::Status& why) { send(call, nullptr, why); });
  }

  // How the request names itself, where anybody will be told: gRPC makes a map of all headers for whoever asks for one.
  template <class Call>
  RequestOrigin origin_of(const Call& call, Api api, Operation operation, const absl::Status& result) const {
    if (result.ok() && context_.recorder == nullptr) return {api, operation, "", ""};
    return {api, operation, call.header(kRequestId), call.header(kTraceparent)};
  }

  // No one waits any longer for the answer to a request whose turn came too late.
  absl::Status check_deadline(absl::Time deadline) const {
    if (context_.clock.now() <= deadline) return absl::OkStatus();
    return absl::DeadlineExceededError("The deadline passed before the request's turn came");
  }

  template <class Request, class Response>
  Handle<Request, Response> question(absl::Status (*answer)(const ServableTable&, const Request&, Response&)) {
    return [this, answer](UnaryCall<Request, Response>& call) {
      call.finish(answer(*context_.directory.read(), call.request(), call.response()));
    };
  }

  // One about the signatures of a model, which are known when it is loaded.
  template <class Request, class Response>
  Handle<Request, Response> model_question(absl::Status (*answer)(const ServableTable&, const Request&, Response&)) {
    return [this, ask = question(answer)](UnaryCall<Request, Response>& call) {
      with_model(
          context_, model_of(call.request()), [ask, &call] { ask(call); },
          [&call](const absl::Status& why) { call.finish(why); });
    };
  }

  template <class Request, class Response>
  Handle<Request, Response> change(void (*how)(ModelControl*, const Request&, ModelControl::Done)) {
    return [this, how](UnaryCall<Request, Response>& call) {
      how(context_.control, call.request(), [&call](absl::Status result) { call.finish(result); });
    };
  }

  void offer_tensorflow_serving() {
    using Predictions = tfs_pb::PredictionService::AsyncService;
    using Models = tfs_pb::ModelService::AsyncService;
    offer(predictions_, &Predictions::RequestPredict, prediction(Operation::kPredict, tfs::predict));
    offer(predictions_, &Predictions::RequestClassify, prediction(Operation::kClassify, tfs::classify));
    offer(predictions_, &Predictions::RequestRegress, prediction(Operation::kRegress, tfs::regress));
    offer(predictions_, &Predictions::RequestMultiInference,
          prediction(Operation::kMultiInference, tfs::multi_inference));
    offer(predictions_, &Predictions::RequestGetModelMetadata, model_question(tfs::get_model_metadata));
    offer(models_, &Models::RequestGetModelStatus, question(tfs::get_model_status));
    offer(models_, &Models::RequestHandleReloadConfigRequest,
          Handle<tfs_pb::ReloadConfigRequest, tfs_pb::ReloadConfigResponse>([this](auto& call) { reload(call); }));
  }

  void reload(UnaryCall<tfs_pb::ReloadConfigRequest, tfs_pb::ReloadConfigResponse>& call) {
    if (absl::Status usable = tfs::check_reload(call.request()); !usable.ok()) return call.finish(usable);
    hooks_.reload(call.request().config(), [&call](absl::Status status) {
      call.response().mutable_status();  // of code 0
      call.finish(status);
    });
  }

  void offer_open_inference() {
    using Service = inference::GRPCInferenceService::AsyncService;
    offer(inference_, &Service::RequestModelInfer, prediction(Api::kOipGrpc, Operation::kPredict, oip::model_infer));
    offer_stream(inference_, &Service::RequestModelStreamInfer, [this](auto& call) { predict_next(call); });
    offer(inference_, &Service::RequestModelMetadata, model_question(oip::model_metadata));
    offer(inference_, &Service::RequestModelReady, question(oip::model_ready));
    offer(inference_, &Service::RequestModelConfig, model_question(oip::model_config));
    offer(inference_, &Service::RequestModelStatistics, question(oip::model_statistics));
    offer(inference_, &Service::RequestRepositoryIndex, question(oip::repository_index));
    offer(inference_, &Service::RequestRepositoryModelLoad,
          change<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse>(oip::load_model));
    offer(inference_, &Service::RequestRepositoryModelUnload,
          change<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse>(oip::unload_model));
    offer_server_questions();
  }

  void offer_server_questions() {
    using Service = inference::GRPCInferenceService::AsyncService;
    offer(inference_, &Service::RequestServerMetadata,
          Handle<inference::ServerMetadataRequest, inference::ServerMetadataResponse>([](auto& call) {
            oip::server_metadata(call.response());
            call.finish(absl::OkStatus());
          }));
    offer(inference_, &Service::RequestServerLive,
          Handle<inference::ServerLiveRequest, inference::ServerLiveResponse>([](auto& call) {
            call.response().set_live(true);
            call.finish(absl::OkStatus());
          }),
          Access::kOpen);
    offer(inference_, &Service::RequestServerReady,
          Handle<inference::ServerReadyRequest, inference::ServerReadyResponse>([this](auto& call) {
            call.response().set_ready(hooks_.ready());
            call.finish(absl::OkStatus());
          }),
          Access::kOpen);
  }

  // What grpc_health_probe and Kubernetes' probes of type grpc ask.
  void offer_health() {
    using grpc::health::v1::HealthCheckRequest, grpc::health::v1::HealthCheckResponse;
    offer(
        health_, &grpc::health::v1::Health::AsyncService::RequestCheck,
        Handle<HealthCheckRequest, HealthCheckResponse>([this](auto& call) {
          if (!is_service(call.request().service())) return call.finish(absl::NotFoundError("unknown service"));
          call.response().set_status(hooks_.ready() ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
          call.finish(absl::OkStatus());
        }),
        Access::kOpen);
  }

  void poll(Cohort::Takes takes) {
    Cohort cohort(takes, nullptr);
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
      static_cast<QueueTag*>(tag)->advance(ok);
      // A few more, and no longer than that: others end calls and make none.
      for (size_t more = 2 * Cohort::kMostMembers; more > 0 && !cohort.empty() && has_arrived(&tag, &ok); --more) {
        static_cast<QueueTag*>(tag)->advance(ok);
      }
      cohort.run();
    }
  }

  // Takes what is there already.
  bool has_arrived(void** tag, bool* ok) {
    return queue_->AsyncNext(tag, ok, gpr_inf_past(GPR_CLOCK_MONOTONIC)) == grpc::CompletionQueue::GOT_EVENT;
  }

  // A queue must be empty before it is destroyed.
  void discard_queue() {
    queue_->Shutdown();
    poll(Cohort::Takes::kNone);
    queue_.reset();
  }

  FrontEndContext& context_;
  const GrpcServerHooks hooks_;
  tfs_pb::PredictionService::AsyncService predictions_;
  tfs_pb::ModelService::AsyncService models_;
  inference::GRPCInferenceService::AsyncService inference_;
  grpc::health::v1::Health::AsyncService health_;
  grpc::AsyncGenericService others_;
  const UnknownCall::Listen wait_for_unknown_ = [this](auto* context, auto* stream, QueueTag* tag) {
    return while_listening([&] { others_.RequestCall(context, stream, queue_.get(), queue_.get(), tag); });
  };
  std::vector<std::shared_ptr<void>> methods_;
  OpenStreams open_streams_;
  OpenCalls open_calls_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_mutex listening_mutex_;
  bool listening_ = true;
  std::vector<std::thread> threads_;
  uint16_t port_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> start_grpc_server(const GrpcServerOptions& options,
                                                              FrontEndContext& context, GrpcServerHooks hooks) {
  auto server = std::make_unique<QueueServer>(context, std::move(hooks));
  TG_RETURN_IF_ERROR(server->start(options));
  return server;
}

}  // namespace tidegate::serving
