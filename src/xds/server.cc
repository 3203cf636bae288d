#include "xds/server.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "envoy/service/discovery/v3/ads.grpc.pb.h"
#include "net/grpc_credentials.h"
#include "xds/stream.h"

namespace tidegate::xds {
namespace {

using AdsService = envoy::service::discovery::v3::AggregatedDiscoveryService::CallbackService;
using AdsReactor = grpc::ServerBidiReactor<DiscoveryRequest, DiscoveryResponse>;

// A request names every cluster of the proxy.
constexpr int kMaxRequestBytes = 64 << 20;

class RefusedStream : public AdsReactor {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

bool has_identity(const grpc::AuthContext& context, const std::string& identity) {
  const std::vector<grpc::string_ref> uris = context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  return context.IsPeerAuthenticated() && std::any_of(uris.begin(), uris.end(), [&](const grpc::string_ref& uri) {
           return std::string(uri.data(), uri.size()) == identity;
         });
}

absl::Status check(const net::TlsIdentity& identity) {
  if (identity.ca_pem.empty()) return absl::InvalidArgumentError("xDS server: no authority is given to trust");
  return base::annotate(net::check_identity(identity), "xDS server");
}

// Below that of Envoy's keepalive, 10 s.
constexpr int kLeastPingMilliseconds = 4000;

class ServerImpl : public Server, private AdsService, private StreamOwner {
 public:
  ServerImpl(ServerOptions options, const net::TlsIdentity& identity)
      : options_(std::move(options)), credentials_(net::RotatingCredentials::make(identity)) {}
  ~ServerImpl() override { ServerImpl::shutdown(); }

  // On the port of the first time, whatever was asked for then.
  absl::Status listen() {
    grpc::ServerBuilder builder;
    const int keepalive_ms = static_cast<int>(absl::ToInt64Milliseconds(options_.keepalive));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_ms);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, keepalive_ms);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port that is taken is an error
    // Envoy asks every 10 s whether we are there, also while there is nothing to say; by default gRPC takes that for an
    // attack and hangs up.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kLeastPingMilliseconds);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    const std::string address = base::cat(options_.address, ":", port_ != 0 ? port_ : options_.port);
    int bound = 0;
    builder.AddListeningPort(address, credentials_, &bound);
    builder.RegisterService(static_cast<AdsService*>(this));
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr || bound == 0) {
      return absl::UnavailableError(base::cat("xDS server: cannot listen on ", address, "; is the port taken?"));
    }
    port_ = bound;
    server_ = std::move(server);
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void publish(std::shared_ptr<const traffic::Snapshot> snapshot) override {
    snapshot_.store(std::move(snapshot));
    listen_again();
    std::lock_guard lock(mutex_);
    for (Stream* stream : streams_) stream->pump();
  }

  void confirm_newcomers(uint64_t resource_version) override {
    std::lock_guard lock(mutex_);
    for (Stream* stream : streams_) stream->confirm(resource_version);
  }

  void withdraw() override {
    snapshot_.store(nullptr);
    stop("this replica's view may be stale");
  }

  absl::Status rotate(const net::TlsIdentity& identity) override {
    TG_RETURN_IF_ERROR(check(identity));
    credentials_->rotate(identity);
    return absl::OkStatus();
  }

  ServerStatus status() const override {
    ServerStatus status;
    {
      std::lock_guard lock(listen_mutex_);
      status.listening = server_ != nullptr;
    }
    {
      std::lock_guard lock(mutex_);
      for (const Stream* stream : streams_) status.nodes.push_back(stream->status());
    }
    std::sort(status.nodes.begin(), status.nodes.end(), [](const NodeStatus& a, const NodeStatus& b) {
      return std::tie(a.node_id, a.peer) < std::tie(b.node_id, b.peer);
    });
    status.responses = responses_;
    status.rejections = rejections_;
    status.refused_clients = refused_clients_;
    return status;
  }

  void shutdown() override {
    shut_down_ = true;
    stop("this replica is stopping");
  }

 private:
  void stop(const char* reason) {
    std::unique_ptr<grpc::Server> server;
    {
      std::lock_guard lock(listen_mutex_);
      server = std::move(server_);
    }
    if (server == nullptr) return;
    end_streams(reason);
    // What has not ended by itself is cancelled at once: proxies keep their configuration and reconnect.
    server->Shutdown(gpr_inf_past(GPR_CLOCK_REALTIME));
    server->Wait();
  }

  void listen_again() {
    std::lock_guard lock(listen_mutex_);
    if (server_ != nullptr || shut_down_) return;
    const absl::Status listening = listen();
    if (!listening.ok()) base::log_error("xDS is not served yet", {{"error", listening}});
  }

  AdsReactor* DeltaAggregatedResources(grpc::CallbackServerContext* context) override {
    if (!has_identity(*context->auth_context(), options_.client_identity)) {
      ++refused_clients_;
      on_change();
      return new RefusedStream(grpc::Status(
          grpc::StatusCode::PERMISSION_DENIED,
          base::cat("only a client certificate with the URI ", options_.client_identity, " may subscribe")));
    }
    auto* stream = new Stream(*this, context->peer(), options_.hold_newcomers);
    {
      std::lock_guard lock(mutex_);
      streams_.insert(stream);
    }
    stream->begin();
    return stream;
  }

  void end_streams(const char* reason) {
    std::lock_guard lock(mutex_);
    for (Stream* stream : streams_) stream->end(grpc::Status(grpc::StatusCode::UNAVAILABLE, reason));
  }

  std::shared_ptr<const traffic::Snapshot> snapshot() const override { return snapshot_.load(); }
  void on_response_sent() override { ++responses_; }
  void on_rejection() override { ++rejections_; }
  void on_change() override {
    if (options_.on_change) options_.on_change();
  }
  void on_end(Stream* stream) override {
    {
      std::lock_guard lock(mutex_);
      streams_.erase(stream);
    }
    on_change();
  }

  const ServerOptions options_;
  const std::shared_ptr<net::RotatingCredentials> credentials_;
  int port_ = 0;  // of the first time
  // Never held while a stream's callbacks are waited for.
  mutable std::mutex listen_mutex_;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<bool> shut_down_{false};

  std::atomic<std::shared_ptr<const traffic::Snapshot>> snapshot_;
  // Taken before a stream's own lock, never after it.
  mutable std::mutex mutex_;
  std::set<Stream*> streams_;
  std::atomic<uint64_t> responses_{0};
  std::atomic<uint64_t> rejections_{0};
  std::atomic<uint64_t> refused_clients_{0};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::start(ServerOptions options, const net::TlsIdentity& identity) {
  TG_RETURN_IF_ERROR(check(identity));
  auto server = std::make_unique<ServerImpl>(std::move(options), identity);
  TG_RETURN_IF_ERROR(server->listen());
  return server;
}

}  // namespace tidegate::xds
