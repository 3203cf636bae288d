#include "kube/event_aggregator.h"

#include <algorithm>
#include <cstdio>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

std::string object_id(const ObjectReference& object) {
  return base::cat(object.api_version, "\n", object.kind, "\n", object.key.to_string(), "\n", object.uid);
}

// What two events must share to be the same event again. (client-go leaves the note out; our notes carry numbers that
// readers need, so another note is another event, and the bucket keeps the number of them down.)
std::string series_id(const EventRecord& event) {
  return base::cat(object_id(event.regarding), "\n", static_cast<int>(event.type), "\n", event.reason, "\n",
                   event.action, "\n", event.note);
}

// By time and number, as kubectl and client-go name theirs.
std::string unique_name(const std::string& object, absl::Time now, uint64_t sequence) {
  char suffix[40];
  std::snprintf(suffix, sizeof suffix, ".%016llx%04llx", static_cast<unsigned long long>(absl::ToUnixNanos(now)),
                static_cast<unsigned long long>(sequence & 0xffff));
  return object + suffix;
}

}  // namespace

EventDecision EventAggregator::decide(const EventRecord& event, absl::Time now) {
  using Kind = EventDecision::Kind;
  const std::string id = series_id(event);
  if (Series* series = series_.use(id); series != nullptr && now - series->last <= limits_.series_window) {
    ++series->count;
    series->last = now;
    const Kind kind = may_write(object_id(event.regarding), now) ? Kind::kUpdateSeries : Kind::kDrop;
    return {kind, series->event_name, series->count};
  }
  series_.erase(id);
  if (!may_write(object_id(event.regarding), now)) return {};
  const std::string name = unique_name(event.regarding.key.name, now, ++sequence_);
  series_.put(id, Series{name, 1, now});
  return {Kind::kCreate, name, 1};
}

void EventAggregator::forget(const EventRecord& event) { series_.erase(series_id(event)); }

bool EventAggregator::may_write(const std::string& object, absl::Time now) {
  Bucket* known = buckets_.use(object);
  Bucket& bucket = known != nullptr ? *known : buckets_.put(object, Bucket{limits_.burst, now});
  const double grown = absl::FDivDuration(now - bucket.at, limits_.refill);
  bucket.tokens = std::min(limits_.burst, bucket.tokens + std::max(0.0, grown));
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

}  // namespace tidegate::kube
