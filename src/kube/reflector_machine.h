#pragma once
// List-and-watch as a pure state machine: what to ask the server next, and what its answers mean for the copy we hold.
// reflector.h drives it with real requests; its tests drive it with plain values.
//
//   Empty ──start──► Listing ──last page──► Listed ──open──► Watching ──closed, failed, 429──► Listed
//     │  ▲              │ failed                                  │
//     │  └──────────────┴──────────────── 410 ────────────────────┘
//     └──start (WatchList)──► InitialWatch ──bookmark "initial-events-end"──► Watching
//
// From any of them, a refresh leads to Listing.
//
// resourceVersion: "" (most recent) for the first list, since a gateway that starts is told what it shows, and an API
// server may lag behind; the last one seen for a relist (never back in time); "" again for a refresh, and after the
// server called the last one seen expired or too new for it.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kube/watch_event.h"

namespace tidegate::kube {

// Nothing is held that the server would vouch for; what the store shows is the last complete set.
struct ReflectorEmpty {};
struct ReflectorListing {
  std::string resource_version;
  std::string continue_token;
};
struct ReflectorInitialWatch {};
// A complete set is held, no watch is open.
struct ReflectorListed {};
struct ReflectorWatching {};

using ReflectorPhase =
    std::variant<ReflectorEmpty, ReflectorListing, ReflectorInitialWatch, ReflectorListed, ReflectorWatching>;

struct ReflectorState {
  ReflectorPhase phase = ReflectorEmpty{};
  // Ask for WatchList; cleared for good when the server does not know it.
  bool use_watch_list = false;
  // Of the newest event, bookmark or list; empty before the first.
  std::string last_seen;
  // The next list must be the most recent: so it was asked, or the server no longer has (or has not yet) `last_seen`.
  bool needs_most_recent = false;
  // In a row; reset when a watch proves to work.
  int failures = 0;
  // A complete set was asked for anew since a watch last proved to work.
  bool started_over = false;
};

// What happened.
struct ReflectorStart {};
struct ReflectorDelayOver {};
// What is held may be older than somebody can live with. Whatever was asked for last is not waited for any more.
struct ReflectorRefresh {};
struct ReflectorPage {
  std::string resource_version;
  std::string continue_token;
};
struct ReflectorWatchEvent {
  WatchEventType type;
  std::string resource_version;
  bool ends_initial_events = false;
};
// A request (list or watch) failed with an error.
struct ReflectorFailure {
  absl::Status error;
};
// The server ended the watch as asked.
struct ReflectorWatchClosed {
  absl::Duration lived;
  bool had_events = false;
};
using ReflectorEvent = std::variant<ReflectorStart, ReflectorDelayOver, ReflectorRefresh, ReflectorPage,
                                    ReflectorWatchEvent, ReflectorFailure, ReflectorWatchClosed>;

// What to do with the objects of the event that was just given, in this order.
enum class ReflectorEffect {
  kKeep,         // hold the objects back: part of an incomplete set
  kDiscardKept,  // forget what was held back
  kCommit,       // what was held back is the complete set as of last_seen
  kUpsert,
  kErase,
  kProgress,  // nothing changed up to last_seen
};

// What to ask next. None: what is in flight goes on.
struct ReflectorRequestPage {
  std::string resource_version;
  std::string continue_token;
};
struct ReflectorOpenWatch {
  std::string resource_version;
  bool send_initial_events = false;
};
// Then give ReflectorDelayOver. With `jitter` the driver waits between 1 and 2 times the delay.
struct ReflectorWait {
  absl::Duration delay;
  bool jitter = true;
};
using ReflectorCommand = std::variant<ReflectorRequestPage, ReflectorOpenWatch, ReflectorWait>;

struct ReflectorStep {
  ReflectorState state;
  std::vector<ReflectorEffect> effects;
  std::optional<ReflectorCommand> command;
};

// 0.8 s doubled with every further failure, at most 30 s (client-go's reflector). `failures` >= 1.
absl::Duration reflector_backoff(int failures);

ReflectorStep reflector_step(ReflectorState state, const ReflectorEvent& event);

}  // namespace tidegate::kube
