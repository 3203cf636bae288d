#pragma once
// What to do now, as data. plan() is the whole of Tidegate's judgement: a pure function of what was observed. The
// operator's reconciler calls it, its executor carries the Plan out and decides nothing; the debug page prints it.
//
// The executor's order, each step idempotent, the first failure ends the round and the next one observes afresh:
//   1. the status, when status_changed, at metadata.resourceVersion as observed (a conflict drops the plan). Weights
//      are in it: they are written before they are programmed, and a writer that lost its lease is fenced here;
//   2. creates, then scales, then deletes, with the uid and resourceVersion given;
//   3. events and notifications;
//   4. after requeue_after, or when anything observed changes, observe and plan again.

#include <absl/time/time.h>

#include <optional>
#include <string>
#include <vector>

#include "api/types.h"
#include "rollout/observed.h"

namespace tidegate::rollout {

// The pod template is the executor's: it renders the wanted revision from the spec, once.
struct CreateWorkload {
  std::string revision;
  std::string version;
  std::string source_digest;
  int replicas = 0;

  friend bool operator==(const CreateWorkload&, const CreateWorkload&) = default;
};

struct ScaleWorkload {
  std::string revision;
  int from = 0;
  int replicas = 0;
  std::string uid;
  std::string resource_version;

  friend bool operator==(const ScaleWorkload&, const ScaleWorkload&) = default;
};

struct DeleteWorkload {
  std::string revision;
  std::string uid;
  std::string resource_version;

  friend bool operator==(const DeleteWorkload&, const DeleteWorkload&) = default;
};

enum class EventType { kNormal, kWarning };

struct Event {
  EventType type = EventType::kNormal;
  std::string reason;  // CamelCase
  std::string message;

  friend bool operator==(const Event&, const Event&) = default;
};

// For a person who is not looking at the object: what happened, in one sentence with its numbers.
struct Notification {
  std::string reason;  // RolledBack, Promoted, Held, Failed, Degraded
  std::string text;

  friend bool operator==(const Notification&, const Notification&) = default;
};

struct Plan {
  // Set: this process must not write at all, and why (a newer leader has written). Everything else is empty then.
  std::string stop;

  api::ModelDeploymentStatus status;  // whole
  bool status_changed = false;        // it differs from the observed one and is to be written

  std::vector<CreateWorkload> creates;
  std::vector<ScaleWorkload> scales;
  std::vector<DeleteWorkload> deletes;
  std::vector<Event> events;
  std::vector<Notification> notifications;

  std::optional<absl::Duration> requeue_after;  // absent: only when something observed changes

  // No write at all comes from it.
  bool is_noop() const {
    return stop.empty() && !status_changed && creates.empty() && scales.empty() && deletes.empty() && events.empty() &&
           notifications.empty();
  }

  // A few lines for a person: the debug page, test failures.
  std::string to_string() const;
};

// Throws nothing, waits for nothing; a few hundred microseconds at most.
Plan plan(const Observed& observed);

// How often plans are wanted while something is being measured, and how often numbers alone are written to status.
inline constexpr absl::Duration kAnalysisPeriod = absl::Seconds(5);
// What was measured longer ago says nothing of the present.
inline constexpr absl::Duration kMeasurementsStaleAfter = absl::Seconds(30);
inline constexpr absl::Duration kStatusNumbersPeriod = absl::Seconds(30);
// A store answers in milliseconds as a rule; what it answers is worth a write, that it was asked is not.
inline constexpr absl::Duration kResolvingShownAfter = absl::Seconds(10);

}  // namespace tidegate::rollout
