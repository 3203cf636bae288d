#pragma once
// Tells users what happened, as events.k8s.io/v1 Events (kubectl describe, kubectl events). Controllers call record();
// main.cc spawns run(), which writes in the background: an Event that cannot be written never stops a reconcile.
#include <cstdint>
#include <deque>
#include <string>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "kube/event_aggregator.h"

namespace tidegate::kube {

class EventRecorder {
 public:
  static constexpr size_t kMaxQueued = 1000;

  // `controller` is the reportingController ("tidegate.dev/operator"), `instance` this process (the pod's name).
  EventRecorder(Client& client, base::Clock& clock, std::string controller, std::string instance,
                EventLimits limits = {});

  // Returns at once. When the queue is full the oldest event is dropped.
  void record(EventRecord event);
  // Writes what is recorded until the scope ends; tries each event up to three times.
  base::Task<void> run(base::Scope& scope);

  uint64_t written() const { return written_; }
  // By the spam filter, a full queue, or the server's refusal.
  uint64_t dropped() const { return dropped_; }

 private:
  struct Queued {
    EventRecord record;
    absl::Time at;
  };
  base::Task<void> write(Queued event, base::Scope& scope);
  base::Task<absl::Status> send(Queued event, EventDecision decision, base::Scope& scope);
  Json to_json(const Queued& event, const std::string& name) const;

  Client& client_;
  base::Clock& clock_;
  std::string controller_;
  std::string instance_;
  EventAggregator aggregator_;
  std::deque<Queued> queue_;
  base::Signal signal_;
  uint64_t written_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace tidegate::kube
