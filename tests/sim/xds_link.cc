#include "sim/xds_link.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tidegate::sim {
namespace {

XdsResponse on_the_wire(const xds::Response& response, XdsSender sender) {
  XdsResponse message{response.type, response.version, response.nonce, {}, response.removed, std::move(sender)};
  for (const traffic::Resource* resource : response.changed) message.changed.push_back(*resource);
  return message;
}

}  // namespace

// Messages of one direction never overtake each other.
absl::Time XdsStream::arrival(absl::Time& last) {
  last = std::max(last, context_.now() + context_.between(absl::Milliseconds(1), absl::Milliseconds(20)));
  return last;
}

void XdsStream::send(xds::Request request) {
  auto self = shared_from_this();
  context_.schedule.at(arrival(last_to_server_), [self, request = std::move(request)] {
    if (self->server_ == nullptr) return;  // and its loop may be gone
    self->loop_.post([self, request] {
      if (self->server_ == nullptr) return;
      if (request.error) ++self->server_->rejections_;
      self->state_.on_request(request);
      self->pump();
      if (self->server_->options_.on_change) self->server_->options_.on_change();
    });
  });
}

void XdsStream::close() {
  if (!std::exchange(open_, false)) return;
  auto self = shared_from_this();
  context_.schedule.at(arrival(last_to_server_), [self] {
    if (self->server_ == nullptr) return;
    self->loop_.post([self] {
      if (self->server_ != nullptr) self->server_->forget(self.get());
    });
  });
}

void XdsStream::pump() {
  const std::shared_ptr<const traffic::Snapshot> snapshot = server_->snapshot_;
  if (snapshot == nullptr) return;
  waiting_ = state_.waits_for(*snapshot);
  for (const xds::Response& due : state_.due(snapshot)) {
    ++server_->responses_;
    auto self = shared_from_this();
    context_.schedule.at(arrival(last_to_proxy_), [self, response = on_the_wire(due, server_->sender_())] {
      if (self->open_) self->on_response(response);
    });
  }
}

void XdsStream::end() {
  server_ = nullptr;
  auto self = shared_from_this();
  context_.schedule.at(arrival(last_to_proxy_), [self] {
    if (std::exchange(self->open_, false)) self->on_end();
  });
}

std::shared_ptr<XdsStream> SimXdsServer::connect(const std::string& node) {
  auto stream = std::make_shared<XdsStream>(context_, loop_, node, options_.hold_newcomers);
  stream->server_ = this;
  streams_.push_back(stream);
  return stream;
}

void SimXdsServer::publish(std::shared_ptr<const traffic::Snapshot> snapshot) {
  listening_ = !shut_down_;
  snapshot_ = std::move(snapshot);
  for (const auto& stream : streams_) stream->pump();
}

void SimXdsServer::confirm_newcomers(uint64_t resource_version) {
  for (const auto& stream : streams_) {
    stream->state_.confirm(resource_version);
    stream->pump();
  }
}

void SimXdsServer::withdraw() {
  snapshot_ = nullptr;
  listening_ = false;
  end_streams();
  if (options_.on_change) options_.on_change();
}

xds::ServerStatus SimXdsServer::status() const {
  xds::ServerStatus status;
  for (const auto& stream : streams_) {
    status.nodes.push_back({stream->node_, "", stream->waiting_, stream->state_.is_newcomer(), stream->state_.applied(),
                            stream->state_.rejections()});
  }
  std::stable_sort(status.nodes.begin(), status.nodes.end(),
                   [](const xds::NodeStatus& a, const xds::NodeStatus& b) { return a.node_id < b.node_id; });
  status.responses = responses_;
  status.rejections = rejections_;
  status.listening = listening_;
  return status;
}

void SimXdsServer::shutdown() {
  shut_down_ = true;
  listening_ = false;
  end_streams();
}

void SimXdsServer::end_streams() {
  for (const auto& stream : std::exchange(streams_, {})) stream->end();
}

void SimXdsServer::forget(XdsStream* stream) {
  stream->server_ = nullptr;
  std::erase_if(streams_, [&](const auto& known) { return known.get() == stream; });
  if (options_.on_change) options_.on_change();
}

}  // namespace tidegate::sim
