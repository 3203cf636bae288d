#pragma once
// The control plane's side of ADS without gRPC and threads: what xds::Server promises, with the real StreamState and
// the real Snapshot, over streams whose messages take time and arrive in order. The replica's part runs on the
// replica's loop, so that a replica that is stopped does not answer.
//
//   Envoy ──send()──► latency ──► replica's loop ──► StreamState ──► latency ──► Envoy's on_response
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "sim/context.h"
#include "xds/server.h"
#include "xds/stream_state.h"

namespace tidegate::sim {

// Who sends something to a proxy, and up to when it had seen what happened to ModelDeployments.
struct XdsSender {
  std::string replica;
  absl::Time models_seen;
};

struct XdsResponse {
  traffic::ResourceType type;
  std::string version;
  std::string nonce;
  std::vector<traffic::Resource> changed;
  std::vector<std::string> removed;
  XdsSender sender;
};

class SimXdsServer;

// One proxy's stream. Both sides hold it; either may end it.
class XdsStream : public std::enable_shared_from_this<XdsStream> {
 public:
  XdsStream(Context& context, base::Loop& loop, std::string node, bool holds_newcomers)
      : context_(context), loop_(loop), node_(node), state_(holds_newcomers) {}

  // The proxy's side.
  void send(xds::Request request);
  void close();
  bool is_open() const { return open_; }
  std::function<void(XdsResponse)> on_response;
  std::function<void()> on_end;  // the other side ended it

 private:
  friend class SimXdsServer;
  absl::Time arrival(absl::Time& last);
  // The server's side.
  void pump();
  void end();

  Context& context_;
  base::Loop& loop_;
  const std::string node_;
  SimXdsServer* server_ = nullptr;
  xds::StreamState state_;
  bool waiting_ = false;
  bool open_ = true;
  absl::Time last_to_server_;
  absl::Time last_to_proxy_;
};

class SimXdsServer : public xds::Server {
 public:
  SimXdsServer(Context& context, base::Loop& loop, xds::ServerOptions options, std::function<XdsSender()> sender)
      : context_(context), loop_(loop), options_(std::move(options)), sender_(std::move(sender)) {}
  ~SimXdsServer() override { SimXdsServer::shutdown(); }

  // Whether a proxy that connects is taken.
  bool is_listening() const { return listening_; }
  std::shared_ptr<XdsStream> connect(const std::string& node);

  int port() const override { return options_.port; }
  void publish(std::shared_ptr<const traffic::Snapshot> snapshot) override;
  void confirm_newcomers(uint64_t resource_version) override;
  void withdraw() override;
  absl::Status rotate(const net::TlsIdentity&) override { return absl::OkStatus(); }
  xds::ServerStatus status() const override;
  void shutdown() override;

 private:
  friend class XdsStream;
  void forget(XdsStream* stream);
  void end_streams();

  Context& context_;
  base::Loop& loop_;
  const xds::ServerOptions options_;
  const std::function<XdsSender()> sender_;
  std::shared_ptr<const traffic::Snapshot> snapshot_;
  std::vector<std::shared_ptr<XdsStream>> streams_;
  bool listening_ = true;
  bool shut_down_ = false;
  uint64_t responses_ = 0;
  uint64_t rejections_ = 0;
};

}  // namespace tidegate::sim
