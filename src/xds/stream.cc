#include "xds/stream.h"

#include <utility>

#include "base/strings.h"

namespace tidegate::xds {
namespace {

using traffic::ResourceType;

std::optional<ResourceType> type_of(const std::string& url) {
  for (const ResourceType type : traffic::kResourceTypes) {
    if (traffic::type_url(type) == url) return type;
  }
  return std::nullopt;
}

std::optional<Request> read_request(const DiscoveryRequest& message) {
  const std::optional<ResourceType> type = type_of(message.type_url());
  if (!type) return std::nullopt;
  Request request;
  request.type = *type;
  request.version = message.version_info();
  request.nonce = message.response_nonce();
  request.names = {message.resource_names().begin(), message.resource_names().end()};
  request.names.erase("*");
  if (message.has_error_detail()) request.error = message.error_detail().message();
  return request;
}

DiscoveryResponse make_response(ResourceType type, const traffic::ResourceSet& set,
                                const std::set<std::string>& names) {
  DiscoveryResponse response;
  const std::string url(traffic::type_url(type));
  response.set_type_url(url);
  response.set_version_info(set.version);
  // Clusters and listeners are sent whole; of the others, what was asked for by name.
  const bool all = type == ResourceType::kCluster || type == ResourceType::kListener;
  for (const auto& [name, bytes] : set.resources) {
    if (!all && !names.contains(name)) continue;
    auto* resource = response.add_resources();
    resource->set_type_url(url);
    resource->set_value(bytes);
  }
  return response;
}

}  // namespace

void Stream::begin() { StartRead(&request_); }

void Stream::OnReadDone(bool ok) {
  if (!ok) return end(grpc::Status::OK);
  bool rejected = false;
  {
    std::lock_guard lock(mutex_);
    if (!request_.node().id().empty()) node_id_ = request_.node().id();
    if (std::optional<Request> request = read_request(request_)) {
      rejected = request->error.has_value();
      state_.on_request(std::move(*request));
    }
    if (ending_) return;
    StartRead(&request_);
  }
  if (rejected) owner_.on_rejection();
  pump();
  owner_.on_change();
}

void Stream::pump() {
  std::lock_guard lock(mutex_);
  // Read under the lock: of two threads here the later one never sends the older snapshot.
  const std::shared_ptr<const traffic::Snapshot> snapshot = owner_.snapshot();
  if (snapshot == nullptr || ending_) return;
  waiting_ = state_.waits_for(*snapshot);
  // While something is being written, nothing more is made ready: what is due then is due out of a newer snapshot.
  if (!queue_.empty()) return;
  for (const ResourceType type : state_.due(*snapshot)) queue(type, *snapshot);
  write_next();
}

void Stream::queue(ResourceType type, const traffic::Snapshot& snapshot) {
  const traffic::ResourceSet& set = snapshot.set(type);
  DiscoveryResponse response = make_response(type, set, state_.names(type));
  response.set_nonce(state_.sent(type, set.version));
  queue_.push_back(std::move(response));
}

void Stream::write_next() {
  if (writing_ || queue_.empty()) return;
  writing_ = true;
  StartWrite(&queue_.front());
}

void Stream::OnWriteDone(bool ok) {
  bool drained = false;
  {
    std::lock_guard lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (ending_) return finish_if_quiet();
    if (!ok) return;  // the stream is broken; the read ends it
    write_next();
    drained = queue_.empty();
  }
  owner_.on_response_sent();
  if (drained) pump();
}

void Stream::end(const grpc::Status& status) {
  std::lock_guard lock(mutex_);
  if (ending_) return;
  ending_ = status;
  finish_if_quiet();
}

// gRPC wants no Finish beside a write.
void Stream::finish_if_quiet() {
  if (writing_ || finished_) return;
  finished_ = true;
  Finish(*ending_);
}

void Stream::OnDone() {
  owner_.on_end(this);
  delete this;
}

NodeStatus Stream::status() const {
  std::lock_guard lock(mutex_);
  return {node_id_, peer_, waiting_, state_.status()};
}

}  // namespace tidegate::xds
