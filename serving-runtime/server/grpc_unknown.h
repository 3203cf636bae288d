#pragma once
// Calls of methods that no service here has, for which gRPC itself has a code but no word. For grpc_server.cc
// alone.
#include <grpcpp/generic/async_generic_service.h>

#include <functional>
#include <memory>

#include "serving-runtime/server/grpc_call.h"

namespace tidegate::serving {

class UnknownCall : public QueueTag {
 public:
  // Waits for such a call; false when the server takes no more.
  using Listen = std::function<bool(grpc::GenericServerContext*, grpc::GenericServerAsyncReaderWriter*, QueueTag*)>;

  // Both live as long as the server.
  static void listen(const Listen& wait, OpenCalls& open) {
    listen_with(std::unique_ptr<UnknownCall>(new UnknownCall(wait, open)), open,
                [&wait](UnknownCall& call) { return wait(&call.context_, &call.stream_, &call); });
  }

  void advance(bool ok) override {
    if (answered_) return delete this;
    OpenCalls& open = open_;  // this may be gone once the operation has begun
    if (!ok) {
      open.end();
      return delete this;
    }
    answered_ = true;
    listen(wait_, open_);
    stream_.Finish(to_grpc(absl::UnimplementedError(base::cat("There is no method ", context_.method(), " here"))),
                   this);
    open.end();
  }

 private:
  UnknownCall(const Listen& wait, OpenCalls& open) : wait_(wait), open_(open) {}

  const Listen& wait_;
  OpenCalls& open_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  bool answered_ = false;
};

}  // namespace tidegate::serving
