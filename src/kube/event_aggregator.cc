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

template <class Map, class When>
void erase_oldest(Map& map, When when) {
  auto oldest = std::min_element(map.begin(), map.end(),
                                 [&](const auto& a, const auto& b) { return when(a.second) < when(b.second); });
  if (oldest != map.end()) map.erase(oldest);
}

}  // namespace

EventDecision EventAggregator::decide(const EventRecord& event, absl::Time now) {
  using Kind = EventDecision::Kind;
  const std::string id = series_id(event);
  auto known = series_.find(id);
  if (known != series_.end() && now - known->second.last > limits_.series_window) {
    series_.erase(known);
    known = series_.end();
  }
  if (known != series_.end()) {
    Series& series = known->second;
    ++series.count;
    series.last = now;
    if (!may_write(object_id(event.regarding), now)) return {Kind::kDrop, series.event_name, series.count};
    return {Kind::kUpdateSeries, series.event_name, series.count};
  }
  if (!may_write(object_id(event.regarding), now)) return {};
  make_room();
  const std::string name = unique_name(event.regarding.key.name, now, ++sequence_);
  series_.emplace(id, Series{name, 1, now});
  return {Kind::kCreate, name, 1};
}

void EventAggregator::forget(const EventRecord& event) { series_.erase(series_id(event)); }

bool EventAggregator::may_write(const std::string& object, absl::Time now) {
  auto [known, added] = buckets_.emplace(object, Bucket{limits_.burst, now});
  Bucket& bucket = known->second;
  const double grown = absl::FDivDuration(now - bucket.at, limits_.refill);
  bucket.tokens = std::min(limits_.burst, bucket.tokens + std::max(0.0, grown));
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

void EventAggregator::make_room() {
  if (series_.size() >= limits_.max_remembered) erase_oldest(series_, [](const Series& series) { return series.last; });
  if (buckets_.size() > limits_.max_remembered) erase_oldest(buckets_, [](const Bucket& bucket) { return bucket.at; });
}

}  // namespace tidegate::kube
