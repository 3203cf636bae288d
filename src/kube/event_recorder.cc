#include "kube/event_recorder.h"

#include <utility>

#include "base/log.h"
#include "kube/errors.h"

namespace tidegate::kube {
namespace {

// Limits of events.k8s.io/v1.
constexpr size_t kMaxNoteBytes = 1024;
constexpr int kAttempts = 3;
constexpr absl::Duration kRetryPause = absl::Seconds(2);

// At most `bytes`, not cut inside a UTF-8 sequence.
std::string shorten(std::string text, size_t bytes) {
  if (text.size() <= bytes) return text;
  size_t end = bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

// Events of cluster-scoped objects live in "default".
std::string event_namespace(const ObjectReference& regarding) {
  return regarding.key.ns.empty() ? "default" : regarding.key.ns;
}

bool worth_retrying(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status);
}

Json series_patch(const EventDecision& decision, absl::Time at) {
  Json patch;
  patch["series"] = {{"count", decision.series_count}, {"lastObservedTime", format_micro_time(at)}};
  return patch;
}

}  // namespace

EventRecorder::EventRecorder(Client& client, base::Clock& clock, std::string controller, std::string instance,
                             EventLimits limits)
    : client_(client),
      clock_(clock),
      controller_(std::move(controller)),
      instance_(std::move(instance)),
      aggregator_(limits) {}

void EventRecorder::record(EventRecord event) {
  event.note = shorten(std::move(event.note), kMaxNoteBytes);
  if (queue_.size() >= kMaxQueued) {
    queue_.pop_front();
    ++dropped_;
  }
  queue_.push_back({std::move(event), clock_.now()});
  signal_.notify();
}

base::Task<void> EventRecorder::run(base::Scope& scope) {
  while (!scope.cancelled()) {
    if (queue_.empty()) {
      co_await signal_.wait(clock_, absl::InfiniteDuration(), scope);
      continue;
    }
    Queued event = std::move(queue_.front());
    queue_.pop_front();
    co_await write(std::move(event), scope);
  }
}

base::Task<void> EventRecorder::write(Queued event, base::Scope& scope) {
  const EventDecision decision = aggregator_.decide(event.record, event.at);
  if (decision.kind == EventDecision::Kind::kDrop) {
    ++dropped_;
    co_return;
  }
  for (int attempt = 1; !scope.cancelled(); ++attempt) {
    absl::Status sent = co_await send(event, decision, scope);
    if (sent.ok()) {
      ++written_;
      co_return;
    }
    if (attempt == kAttempts || !worth_retrying(sent)) {
      aggregator_.forget(event.record);
      ++dropped_;
      base::log_warning("an event could not be written", {{"object", event.record.regarding.key.to_string()},
                                                          {"reason", event.record.reason},
                                                          {"note", event.record.note},
                                                          {"error", sent}});
      co_return;
    }
    co_await base::sleep_for(clock_, retry_after(sent).value_or(kRetryPause * attempt), scope);
  }
}

base::Task<absl::Status> EventRecorder::send(Queued event, EventDecision decision, base::Scope& scope) {
  const GroupVersionResource& events = resources::events();
  if (decision.kind == EventDecision::Kind::kUpdateSeries) {
    base::ObjectKey key{event_namespace(event.record.regarding), decision.event_name};
    absl::StatusOr<Written> patched =
        co_await client_.merge_patch(events, std::move(key), series_patch(decision, event.at), "", scope);
    // The server forgets events after an hour: then it is a new one.
    if (!absl::IsNotFound(patched.status())) co_return patched.status();
  }
  absl::StatusOr<Written> created = co_await client_.create(events, to_json(event, decision.event_name), scope);
  // An answer to an earlier attempt got lost.
  if (absl::IsAlreadyExists(created.status())) co_return absl::OkStatus();
  co_return created.status();
}

Json EventRecorder::to_json(const Queued& event, const std::string& name) const {
  const EventRecord& record = event.record;
  const std::string ns = event_namespace(record.regarding);
  Json object = {{"metadata", {{"namespace", ns}, {"name", name}}},
                 {"eventTime", format_micro_time(event.at)},
                 {"reportingController", controller_},
                 {"reportingInstance", instance_},
                 {"type", record.type == EventType::kWarning ? "Warning" : "Normal"},
                 {"reason", record.reason},
                 {"action", record.action},
                 {"note", record.note}};
  Json& regarding = object["regarding"];
  regarding = {{"apiVersion", record.regarding.api_version},
               {"kind", record.regarding.kind},
               {"name", record.regarding.key.name},
               {"uid", record.regarding.uid}};
  if (!record.regarding.key.ns.empty()) regarding["namespace"] = record.regarding.key.ns;
  if (!record.regarding.resource_version.empty()) regarding["resourceVersion"] = record.regarding.resource_version;
  return object;
}

}  // namespace tidegate::kube
