#pragma once
// One unary call on a completion queue: waits for a request, has it handled, sends the answer, ends. The thread that
// takes the request from the queue first puts a fresh call in its place. Only grpc_server.cc includes this.
#include <absl/status/status.h>
#include <absl/time/time.h>
#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "serving-runtime/api/json/utf8.h"
#include "serving-runtime/core/trace_context.h"

namespace tidegate::serving {

// What a completion queue's tags point to.
class QueueTag {
 public:
  virtual ~QueueTag() = default;
  // The operation that was started last has ended. May destroy the tag.
  virtual void advance(bool ok) = 0;
};

// A message may quote what the client sent. Clients take headers of 8 KiB, and a byte that is no ASCII takes three:
// with a longer message they would see RESOURCE_EXHAUSTED instead of the error.
inline grpc::Status to_grpc(const absl::Status& status) {
  constexpr size_t kLongestMessage = 2048;
  return {static_cast<grpc::StatusCode>(status.code()), shortened(base::view(status.message()), kLongestMessage)};
}

// The first of the client's headers of that name (lower case), or empty.
inline std::string_view first_header(const grpc::ServerContext& context, const char* name) {
  const auto found = context.client_metadata().find(name);
  if (found == context.client_metadata().end()) return "";
  return {found->second.data(), found->second.size()};
}

// The answer carries the request's place in a trace. Before the first message is sent.
inline void echo_trace(grpc::ServerContext& context) {
  const std::string_view traceparent = valid_traceparent(first_header(context, kTraceparent));
  if (!traceparent.empty()) context.AddInitialMetadata(kTraceparent, std::string(traceparent));
}

template <class Request, class Response>
class UnaryCall : public QueueTag {
 public:
  // What all calls of one method share; lives as long as the server.
  struct Method {
    // Waits for a request of this method; false when the server takes no more.
    std::function<bool(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*, QueueTag*)> listen;
    // Must call finish() once, now or later, from any thread.
    std::function<void(UnaryCall&)> handle;
  };

  static void listen(const Method& method) {
    auto call = std::unique_ptr<UnaryCall>(new UnaryCall(method));
    UnaryCall* tag = call.get();
    // From here on the queue owns the call.
    if (method.listen(&tag->context_, tag->request_, &tag->writer_, tag)) call.release();
  }

  const Request& request() const { return *request_; }
  // The first of the client's headers of that name (lower case), or empty.
  std::string_view header(const char* name) const { return first_header(context_, name); }
  // When the client stops waiting; far in the future when it set none.
  absl::Time deadline() const { return absl::FromChrono(context_.deadline()); }
  Response& response() { return *response_; }
  void add_header(const std::string& name, const std::string& value) { context_.AddInitialMetadata(name, value); }
  void add_trailer(const std::string& name, const std::string& value) { context_.AddTrailingMetadata(name, value); }

  void finish(const absl::Status& status) {
    if (status.ok()) {
      writer_.Finish(*response_, grpc::Status::OK, this);
    } else {
      writer_.FinishWithError(to_grpc(status), this);
    }
  }

  void advance(bool ok) override {
    if (answered_ || !ok) {
      delete this;
      return;
    }
    answered_ = true;
    listen(method_);
    echo_trace(context_);
    method_.handle(*this);
  }

 private:
  explicit UnaryCall(const Method& method) : method_(method) {}

  const Method& method_;
  grpc::ServerContext context_;
  google::protobuf::Arena arena_;  // one allocation for the parts of both messages, where each would be one
  Request* const request_ = google::protobuf::Arena::CreateMessage<Request>(&arena_);
  Response* const response_ = google::protobuf::Arena::CreateMessage<Response>(&arena_);
  grpc::ServerAsyncResponseWriter<Response> writer_{&context_};
  bool answered_ = false;
};

}  // namespace tidegate::serving
