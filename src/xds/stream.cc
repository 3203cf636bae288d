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
  request.nonce = message.response_nonce();
  if (message.has_error_detail()) request.error = message.error_detail().message();
  request.subscribe = {message.resource_names_subscribe().begin(), message.resource_names_subscribe().end()};
  request.unsubscribe = {message.resource_names_unsubscribe().begin(), message.resource_names_unsubscribe().end()};
  request.present = {message.initial_resource_versions().begin(), message.initial_resource_versions().end()};
  return request;
}

DiscoveryResponse make_message(const Response& response) {
  DiscoveryResponse message;
  const std::string url(traffic::type_url(response.type));
  message.set_type_url(url);
  message.set_system_version_info(response.version);
  message.set_nonce(response.nonce);
  for (const traffic::Resource* changed : response.changed) {
    auto* resource = message.add_resources();
    resource->set_name(changed->name);
    resource->set_version(changed->version);
    resource->mutable_resource()->set_type_url(url);
    resource->mutable_resource()->set_value(changed->bytes);
  }
  for (const std::string& name : response.removed) message.add_removed_resources(name);
  return message;
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
  for (const Response& response : state_.due(snapshot)) queue_.push_back(make_message(response));
  write_next();
}

void Stream::confirm(uint64_t resource_version) {
  {
    std::lock_guard lock(mutex_);
    state_.confirm(resource_version);
  }
  pump();
}

void Stream::write_next() {
  if (writing_ || queue_.empty()) return;
  writing_ = true;
  StartWrite(&queue_.front());
}

void Stream::OnWriteDone(bool ok) {
  {
    std::lock_guard lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (ending_) return finish_if_quiet();
    if (!ok) return;  // the stream is broken; the read ends it
    write_next();
  }
  owner_.on_response_sent();
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
  return {node_id_, peer_, waiting_, state_.is_newcomer(), state_.applied(), state_.rejections()};
}

}  // namespace tidegate::xds
