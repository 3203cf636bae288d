#pragma once
// Which Events to write: repeated ones become a series, and one object cannot flood the API. Pure but for its memory;
// event_recorder.h writes what it decides.
#include <absl/time/time.h>

#include <cstdint>
#include <string>

#include "base/object_key.h"
#include "base/recent_map.h"

namespace tidegate::kube {

struct ObjectReference {
  std::string api_version;
  std::string kind;
  base::ObjectKey key;
  std::string uid;
  std::string resource_version;
};

enum class EventType { kNormal, kWarning };

struct EventRecord {
  ObjectReference regarding;
  EventType type = EventType::kNormal;
  std::string reason;  // CamelCase, at most 128 bytes: "RolledBack"
  std::string action;  // CamelCase, what we did: "Rollback"
  std::string note;    // a sentence with its numbers; cut at 1,024 bytes
};

struct EventLimits {
  // Events of the same object, type, reason, action and note within this time are one series.
  absl::Duration series_window = absl::Minutes(6);
  // Writes for one object: a burst, then one every refill (client-go: 25 and 5 min; a rollout has more to tell).
  double burst = 25;
  absl::Duration refill = absl::Minutes(1);
  // Objects and series remembered; the one that was heard of the longest ago is forgotten.
  size_t max_remembered = 4096;
};

struct EventDecision {
  enum class Kind { kCreate, kUpdateSeries, kDrop } kind = Kind::kDrop;
  std::string event_name;
  int64_t series_count = 0;  // of kUpdateSeries: how often it has happened, >= 2
};

class EventAggregator {
 public:
  explicit EventAggregator(EventLimits limits)
      : limits_(limits), series_(limits.max_remembered), buckets_(limits.max_remembered) {}
  EventDecision decide(const EventRecord& event, absl::Time now);
  // The Event could not be created, or is gone: the next such event creates one again.
  void forget(const EventRecord& event);

 private:
  struct Series {
    std::string event_name;
    int64_t count = 0;
    absl::Time last;
  };
  struct Bucket {
    double tokens;
    absl::Time at;
  };
  bool may_write(const std::string& object, absl::Time now);

  EventLimits limits_;
  base::RecentMap<Series> series_;
  base::RecentMap<Bucket> buckets_;
  uint64_t sequence_ = 0;
};

}  // namespace tidegate::kube
