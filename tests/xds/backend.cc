#include "xds/backend.h"

#include <absl/strings/numbers.h>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server_builder.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>

#include "base/strings.h"
#include "xds/socket.h"

namespace tidegate::xds {
namespace {

std::string last_word(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string answer_to(const std::string& word, const std::string& name) {
  int status = 200;
  std::string mark;
  if (word == "model" || word == "model500") {
    status = word == "model" ? 400 : 500;
    mark = "x-tidegate-error: model\r\n";
  } else if (int asked; absl::SimpleAtoi(word, &asked)) {
    status = asked;
  }
  return base::cat("HTTP/1.1 ", status, " Whatever\r\n", mark, "content-length: ", name.size(), "\r\n\r\n", name);
}

}  // namespace

RestBackend::RestBackend(std::string name) : name_(std::move(name)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  listen(listener_, 128);
  acceptor_ = std::thread([this] { accept_all(); });
}

RestBackend::~RestBackend() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  {
    std::lock_guard lock(mutex_);
    for (const int descriptor : open_) shutdown(descriptor, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

void RestBackend::accept_all() {
  for (int descriptor; (descriptor = accept(listener_, nullptr, nullptr)) >= 0;) {
    std::lock_guard lock(mutex_);
    open_.push_back(descriptor);
    threads_.emplace_back([this, descriptor] { serve(descriptor); });
  }
}

void RestBackend::serve(int descriptor) {
  Socket socket(descriptor);
  while (std::optional<Message> request = read_message(socket)) {
    ++requests_;
    const std::string path = request->first_line.substr(4, request->first_line.rfind(' ') - 4);
    const std::string word = last_word(path);
    if (word == "hang") socket.read_exactly(1);
    if (word == "hang" || word == "close") break;
    if (!socket.write(answer_to(word, name_))) break;
  }
  std::lock_guard lock(mutex_);
  open_.remove(descriptor);
}

class GrpcBackend::Service : public grpc::CallbackGenericService {
  class Call : public grpc::ServerGenericBidiReactor {
   public:
    explicit Call(grpc::GenericCallbackServerContext* context) : context_(context) { StartRead(&request_); }
    void OnReadDone(bool) override {
      const std::string word = last_word(context_->method());
      if (word == "model") {
        context_->AddTrailingMetadata("x-tidegate-error", "model");
        return Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the model's graph failed"));
      }
      int code = 0;
      if (absl::SimpleAtoi(word, &code) && code != 0) {
        return Finish(grpc::Status(static_cast<grpc::StatusCode>(code), "as asked"));
      }
      StartWriteAndFinish(&response_, {}, grpc::Status::OK);
    }
    void OnDone() override { delete this; }

   private:
    grpc::GenericCallbackServerContext* context_;
    grpc::ByteBuffer request_;
    grpc::ByteBuffer response_{nullptr, 0};
  };

 public:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Call(context);
  }
};

GrpcBackend::GrpcBackend() : service_(std::make_unique<Service>()) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterCallbackGenericService(service_.get());
  server_ = builder.BuildAndStart();
}

GrpcBackend::~GrpcBackend() { server_->Shutdown(gpr_inf_past(GPR_CLOCK_REALTIME)); }

int call_grpc(int port, const std::string& authority, const std::string& method) {
  grpc::ChannelArguments arguments;
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, authority);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  grpc::GenericStub stub(
      grpc::CreateCustomChannel(base::cat("127.0.0.1:", port), grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  grpc::ByteBuffer response;
  std::mutex mutex;
  std::condition_variable ended;
  std::optional<int> code;
  stub.UnaryCall(&context, "/test.Test/" + method, {}, &request, &response, [&](const grpc::Status& status) {
    std::lock_guard lock(mutex);
    code = status.error_code();
    ended.notify_one();
  });
  std::unique_lock lock(mutex);
  ended.wait(lock, [&] { return code.has_value(); });
  return *code;
}

}  // namespace tidegate::xds
