#pragma once
// The gRPC port: TensorFlow Serving's PredictionService and ModelService, the Open Inference Protocol's
// GRPCInferenceService and gRPC's own health check, on a completion queue (half the cost of callbacks) that few threads
// poll.
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serving-runtime/api/front_end.h"
#include "serving-runtime/core/cohort.h"
#include "serving-runtime/server/access_tokens.h"

namespace tensorflow::serving {
class ModelServerConfig;
}
namespace tidegate::net {
class RotatingCredentials;
}

namespace tidegate::serving {

struct GrpcServerOptions {
  std::string address = "0.0.0.0";
  uint16_t port = 0;        // 0: any free one
  std::string socket_path;  // a UNIX socket to listen on as well; empty: none
  // gRPC's own, by key. A value that is a number is one.
  std::vector<std::pair<std::string, std::string>> channel_arguments = {};
  uint64_t max_message_bytes = 64ull << 20;  // at most 2 GiB - 1
  size_t threads = 1;                        // that poll. More than needed cost each request a handover between them
  Cohort::Takes takes = Cohort::Takes::kQuickOnes;  // what those threads run themselves; the gate posts the others
  std::shared_ptr<net::RotatingCredentials> credentials;  // null: plain
};

class GrpcServer {
 public:
  virtual ~GrpcServer() = default;
  virtual uint16_t port() const = 0;
  // Sends GOAWAY, takes no more requests, ends streams as soon as none is in flight on them (UNAVAILABLE), waits for
  // those in flight at most until `deadline`, then cancels them, which their clients see at once; but what a model or
  // the process still does for one of them is waited for, since it uses what would go. Ends the threads. Blocks; call
  // once, not on a thread of the server.
  virtual void drain(absl::Time deadline) = 0;
};

// What the server asks of the process that it belongs to. Any thread.
struct GrpcServerHooks {
  const AccessTokens& tokens;   // for all but ServerLive, ServerReady and the health check
  std::function<bool()> ready;  // answers ServerReady and the health check
  // Takes over the models of HandleReloadConfigRequest; `done` is called once, now or later, before drain() returns.
  std::function<void(const tensorflow::serving::ModelServerConfig&, std::function<void(absl::Status)> done)> reload;
};

// Starts to serve. UNAVAILABLE when the port cannot be had.
absl::StatusOr<std::unique_ptr<GrpcServer>> start_grpc_server(const GrpcServerOptions& options,
                                                              FrontEndContext& context, GrpcServerHooks hooks);

}  // namespace tidegate::serving
