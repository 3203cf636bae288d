// One proxy's incremental ADS stream as a gRPC reactor: reads requests, lets StreamState decide, writes responses out
// of the latest snapshot. It lives on gRPC's threads and deletes itself when the stream has ended.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "traffic/snapshot.h"
#include "xds/stream_state.h"

namespace tidegate::xds {

class Stream;

// Who made the stream. Outlives it. Called without any lock of the stream held, but snapshot(), which must not lock.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  // Null: nothing may be answered.
  virtual std::shared_ptr<const traffic::Snapshot> snapshot() const = 0;
  virtual void on_response_sent() = 0;
  virtual void on_rejection() = 0;
  virtual void on_change() = 0;
  // The stream is about to delete itself.
  virtual void on_end(Stream* stream) = 0;
};

using DiscoveryRequest = envoy::service::discovery::v3::DeltaDiscoveryRequest;
using DiscoveryResponse = envoy::service::discovery::v3::DeltaDiscoveryResponse;

class Stream : public grpc::ServerBidiReactor<DiscoveryRequest, DiscoveryResponse> {
 public:
  Stream(StreamOwner& owner, std::string peer, bool holds_newcomers)
      : owner_(owner), peer_(std::move(peer)), state_(holds_newcomers) {}

  // Reading begins here, when the owner knows the stream.
  void begin();
  // Sends whatever the present snapshot makes due.
  void pump();
  // See StreamState.
  void confirm(uint64_t resource_version);
  // Ends the stream; again: does nothing.
  void end(const grpc::Status& status);
  NodeStatus status() const;

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override {}
  void OnDone() override;

  void write_next();
  void finish_if_quiet();

  StreamOwner& owner_;
  const std::string peer_;
  DiscoveryRequest request_;  // belongs to gRPC between StartRead and OnReadDone

  mutable std::mutex mutex_;
  StreamState state_;
  std::string node_id_;
  bool waiting_ = false;
  std::deque<DiscoveryResponse> queue_;  // the front one belongs to gRPC while writing_
  bool writing_ = false;
  std::optional<grpc::Status> ending_;
  bool finished_ = false;
};

}  // namespace tidegate::xds
