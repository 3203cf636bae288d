#pragma once
// Calls of methods that no service here has, for which gRPC itself has a code but no word. Only grpc_server.cc includes
// this.
#include <grpcpp/generic/async_generic_service.h>

#include <functional>
#include <memory>

#include "serving-runtime/server/grpc_call.h"

namespace tidegate::serving {

class UnknownCall : public QueueTag {
 public:
  // Waits for such a call; false when the server takes no more.
  using Listen = std::function<bool(grpc::GenericServerContext*, grpc::GenericServerAsyncReaderWriter*, QueueTag*)>;

  // `wait` lives as long as the server.
  static void listen(const Listen& wait) {
    auto call = std::unique_ptr<UnknownCall>(new UnknownCall(wait));
    UnknownCall* tag = call.get();
    // From here on the queue owns the call.
    if (wait(&tag->context_, &tag->stream_, tag)) call.release();
  }

  void advance(bool ok) override {
    if (answered_ || !ok) {
      delete this;
      return;
    }
    answered_ = true;
    listen(wait_);
    stream_.Finish(to_grpc(absl::UnimplementedError(base::cat("There is no method ", context_.method(), " here"))),
                   this);
  }

 private:
  explicit UnknownCall(const Listen& wait) : wait_(wait) {}

  const Listen& wait_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  bool answered_ = false;
};

}  // namespace tidegate::serving
