#pragma once
// One unary call on a completion queue: waits for a request, has it handled, sends the answer, ends. The thread that
// takes the request from the queue first puts a fresh call in its place. For grpc_server.cc and the other kinds of
// calls beside this.
#include <absl/status/status.h>
#include <absl/time/time.h>
#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "base/utf8.h"
#include "serving-runtime/core/trace_context.h"

namespace tidegate::serving {

// What a completion queue's tags point to.
class QueueTag {
 public:
  virtual ~QueueTag() = default;
  // The operation that was started last has ended. May destroy the tag.
  virtual void advance(bool ok) = 0;
};

// The calls that may still start an operation on the queue: those that wait for a request, and those that have one and
// have not answered it. The queue must not be shut down before they end, nor may what they use go.
class OpenCalls {
 public:
  void begin() { count_.fetch_add(1, std::memory_order_relaxed); }
  // May be the last that the caller does before what this belongs to is gone.
  void end() {
    if (count_.fetch_sub(1, std::memory_order_release) == 1) count_.notify_all();
  }
  // Waits until there are none, after the server has stopped to take requests.
  void wait() const {
    for (int64_t count = count_.load(std::memory_order_acquire); count > 0;
         count = count_.load(std::memory_order_acquire)) {
      count_.wait(count);
    }
  }

 private:
  std::atomic<int64_t> count_ = 0;
};

// Waits for a request with `call`, which the queue owns from then on. `wait(call)` starts that; false when the server
// takes no more.
template <class Call, class Wait>
void listen_with(std::unique_ptr<Call> call, OpenCalls& open, const Wait& wait) {
  open.begin();
  if (wait(*call)) {
    call.release();  // it may be gone already
  } else {
    open.end();
  }
}

// A message may quote what the client sent. Clients take headers of 8 KiB, and a byte that is no ASCII takes three:
// with a longer message they would see RESOURCE_EXHAUSTED instead of the error.
inline grpc::Status to_grpc(const absl::Status& status) {
  constexpr size_t kLongestMessage = 2048;
  return {static_cast<grpc::StatusCode>(status.code()), base::shortened(base::view(status.message()), kLongestMessage)};
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
    OpenCalls* open = nullptr;
  };

  static void listen(const Method& method) {
    listen_with(std::unique_ptr<UnaryCall>(new UnaryCall(method)), *method.open, [&method](UnaryCall& call) {
      return method.listen(&call.context_, call.request_, &call.writer_, &call);
    });
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
    OpenCalls& open = *method_.open;  // this may be gone once the operation has begun
    if (status.ok()) {
      writer_.Finish(*response_, grpc::Status::OK, this);
    } else {
      writer_.FinishWithError(to_grpc(status), this);
    }
    open.end();
  }

  void advance(bool ok) override {
    if (answered_) return delete this;
    if (!ok) {
      method_.open->end();
      return delete this;
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
