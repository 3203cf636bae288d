#pragma once
// A stream of requests, each answered before the next is read, on a completion queue: so answers come in the order of
// the requests, and a client that sends faster than the model runs is held back by flow control. For grpc_server.cc
// alone.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>

#include "serving-runtime/server/grpc_call.h"

namespace tidegate::serving {

// The streams that are open, so that those on which no one asks anything do not hold up the end of the server.
class OpenStreams {
 public:
  class Stream {
   public:
    virtual ~Stream() = default;
    // Called while the stream waits for a request, with the lock held.
    virtual void leave() = 0;
  };

  // From now on no stream reads: those that wait for a request leave, the others after their answer.
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (Stream* stream : waiting_) stream->leave();
    waiting_.clear();
  }
  // False when the stream must not read on; else `read` has started to.
  bool wait(Stream* stream, const std::function<void()>& read) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    waiting_.insert(stream);
    read();
    return true;
  }
  // The read has ended. False when the stream was told to leave meanwhile.
  bool stop_waiting(Stream* stream) {
    std::lock_guard lock(mutex_);
    return waiting_.erase(stream) > 0;
  }

 private:
  std::mutex mutex_;
  bool closed_ = false;
  std::set<Stream*> waiting_;
};

template <class Request, class Response>
class StreamCall : public QueueTag, public OpenStreams::Stream {
 public:
  using Writer = grpc::ServerAsyncReaderWriter<Response, Request>;
  // What all calls of one method share; lives as long as the server.
  struct Method {
    // Waits for a call of this method; false when the server takes no more.
    std::function<bool(grpc::ServerContext*, Writer*, QueueTag*)> listen;
    // Whether the caller may ask; looked at when the stream begins and at each request, since rights can end.
    std::function<absl::Status(const StreamCall&)> admit;
    // Must call answer() once, now or later, from any thread.
    std::function<void(StreamCall&)> handle;
    OpenStreams* streams = nullptr;
    OpenCalls* open = nullptr;
  };

  static void listen(const Method& method) {
    listen_with(std::unique_ptr<StreamCall>(new StreamCall(method)), *method.open,
                [&method](StreamCall& call) { return method.listen(&call.context_, &call.stream_, &call); });
  }

  const Request& request() const { return request_; }
  // As UnaryCall::header.
  std::string_view header(const char* name) const { return first_header(context_, name); }
  // When the client stops waiting, for all of its answers.
  absl::Time deadline() const { return absl::FromChrono(context_.deadline()); }
  Response& response() { return response_; }

  // Sends response().
  void answer() {
    state_ = State::kAnswering;
    stream_.Write(response_, tag());
  }

  void advance(bool ok) override {
    switch (state_) {
      case State::kListening:
        if (!ok) {
          method_.open->end();
          return delete this;
        }
        listen(method_);
        echo_trace(context_);
        if (admitted()) read();
        return;
      case State::kReading:
        return on_read(ok);
      case State::kAnswering:
        response_.Clear();
        return ok ? read() : finish(grpc::Status::CANCELLED);
      case State::kEnding:
        return release();
    }
  }

  void leave() override { end(gone(), 2); }  // the read comes back too

 private:
  enum class State { kListening, kReading, kAnswering, kEnding };

  explicit StreamCall(const Method& method) : method_(method) {}

  static grpc::Status gone() { return {grpc::StatusCode::UNAVAILABLE, "the server is shutting down"}; }

  void read() {
    bool reads = method_.streams->wait(this, [this] {
      state_ = State::kReading;
      request_.Clear();
      stream_.Read(&request_, tag());
    });
    if (!reads) finish(gone());
  }

  void on_read(bool ok) {
    if (!method_.streams->stop_waiting(this)) {
      release();  // leave() came between
    } else if (!ok) {
      finish(grpc::Status::OK);  // the client has sent its last request
    } else if (admitted()) {
      method_.handle(*this);
    }
  }

  // False, and the stream ends, when it is not.
  bool admitted() {
    absl::Status allowed = method_.admit(*this);
    if (!allowed.ok()) finish(to_grpc(allowed));
    return allowed.ok();
  }

  void finish(const grpc::Status& status) { end(status, 1); }

  // Ends the stream and, when `operations` have come back from the queue (on any of its threads), this call.
  void end(const grpc::Status& status, int operations) {
    OpenCalls& open = *method_.open;  // this may be gone once the operation has begun
    outstanding_ = operations;
    state_ = State::kEnding;
    stream_.Finish(status, tag());
    open.end();
  }
  void release() {
    if (outstanding_.fetch_sub(1) == 1) delete this;
  }

  void* tag() { return static_cast<QueueTag*>(this); }

  const Method& method_;
  grpc::ServerContext context_;
  Request request_;
  Response response_;
  Writer stream_{&context_};
  std::atomic<State> state_ = State::kListening;
  std::atomic<int> outstanding_ = 0;
};

}  // namespace tidegate::serving
