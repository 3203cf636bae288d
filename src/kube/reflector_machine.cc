#include "kube/reflector_machine.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kube/errors.h"

namespace tidegate::kube {
namespace {

constexpr absl::Duration kFirstBackoff = absl::Milliseconds(800);
constexpr absl::Duration kMaxBackoff = absl::Seconds(30);
// A watch that the server ends this soon, having sent nothing, is a failure: without a pause it would become a storm.
constexpr absl::Duration kShortestWatch = absl::Seconds(1);

using Effect = ReflectorEffect;

template <class Phase>
bool is(const ReflectorState& state) {
  return std::holds_alternative<Phase>(state.phase);
}

ReflectorStep list_page(ReflectorState state, std::string resource_version, std::string continue_token) {
  state.phase = ReflectorListing{resource_version, continue_token};
  return {std::move(state), {}, ReflectorRequestPage{std::move(resource_version), std::move(continue_token)}};
}

// Empty: as recent as a quorum read.
std::string version_to_list(const ReflectorState& state) { return state.needs_most_recent ? "" : state.last_seen; }

// A complete set, from nothing.
ReflectorStep begin(ReflectorState state) {
  std::string version = version_to_list(state);
  if (!state.use_watch_list) return list_page(std::move(state), std::move(version), "");
  state.phase = ReflectorInitialWatch{};
  return {std::move(state), {Effect::kDiscardKept}, ReflectorOpenWatch{std::move(version), true}};
}

ReflectorStep open_watch(ReflectorState state) {
  state.phase = ReflectorWatching{};
  std::string version = state.last_seen;
  return {std::move(state), {}, ReflectorOpenWatch{std::move(version), false}};
}

// Whatever the phase was waiting to do.
ReflectorStep proceed(ReflectorState state) {
  if (is<ReflectorListed>(state)) return open_watch(std::move(state));
  if (const auto* listing = std::get_if<ReflectorListing>(&state.phase)) {
    const ReflectorListing again = *listing;
    return list_page(std::move(state), again.resource_version, again.continue_token);
  }
  return begin(std::move(state));
}

void prove(ReflectorState& state) {
  state.failures = 0;
  state.started_over = false;
}

// In the phase the state is in, after a pause.
ReflectorStep pause(ReflectorState state, std::vector<Effect> effects = {}) {
  ++state.failures;
  const absl::Duration delay = reflector_backoff(state.failures);
  return {std::move(state), std::move(effects), ReflectorWait{delay}};
}

// A complete set from nothing, now; what was kept of another is of no use for it.
ReflectorStep begin_afresh(ReflectorState state) {
  state.phase = ReflectorEmpty{};
  ReflectorStep step = begin(std::move(state));
  step.effects.insert(step.effects.begin(), Effect::kDiscardKept);
  return step;
}

// Starts over with a complete set. At once the first time (a 410 is routine), after a pause when that did not help.
ReflectorStep start_over(ReflectorState state) {
  if (!std::exchange(state.started_over, true)) return begin_afresh(std::move(state));
  state.phase = ReflectorEmpty{};
  return pause(std::move(state), {Effect::kDiscardKept});
}

ReflectorStep on_page(ReflectorState state, const ReflectorPage& page) {
  if (!is<ReflectorListing>(state)) return {std::move(state), {}, std::nullopt};
  if (!page.continue_token.empty()) {
    const std::string version = std::get<ReflectorListing>(state.phase).resource_version;
    ReflectorStep step = list_page(std::move(state), version, page.continue_token);
    step.effects = {Effect::kKeep};
    return step;
  }
  state.last_seen = page.resource_version;
  state.needs_most_recent = false;
  state.phase = ReflectorListed{};
  ReflectorStep step = open_watch(std::move(state));
  step.effects = {Effect::kKeep, Effect::kCommit};
  return step;
}

ReflectorStep on_initial_event(ReflectorState state, const ReflectorWatchEvent& event) {
  if (event.type != WatchEventType::kBookmark) return {std::move(state), {Effect::kKeep}, std::nullopt};
  if (!event.ends_initial_events) return {std::move(state), {}, std::nullopt};
  state.phase = ReflectorWatching{};
  state.last_seen = event.resource_version;
  state.needs_most_recent = false;
  prove(state);
  return {std::move(state), {Effect::kCommit}, std::nullopt};
}

ReflectorStep on_watch_event(ReflectorState state, const ReflectorWatchEvent& event) {
  if (is<ReflectorInitialWatch>(state)) return on_initial_event(std::move(state), event);
  if (!is<ReflectorWatching>(state)) return {std::move(state), {}, std::nullopt};
  prove(state);
  if (!event.resource_version.empty()) state.last_seen = event.resource_version;
  switch (event.type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified:
      return {std::move(state), {Effect::kUpsert}, std::nullopt};
    case WatchEventType::kDeleted:
      return {std::move(state), {Effect::kErase}, std::nullopt};
    case WatchEventType::kBookmark:
      break;
  }
  return {std::move(state), {Effect::kProgress}, std::nullopt};
}

// The server is too busy: it has said nothing about what we hold, so nothing is listed anew.
ReflectorStep on_too_many_requests(ReflectorState state, const absl::Status& error) {
  if (is<ReflectorWatching>(state)) state.phase = ReflectorListed{};
  // Events of a WatchList that broke off are no complete set.
  std::vector<Effect> effects;
  if (is<ReflectorInitialWatch>(state)) effects = {Effect::kDiscardKept};
  const std::optional<absl::Duration> asked = retry_after(error);
  if (!asked) return pause(std::move(state), std::move(effects));
  return {std::move(state), std::move(effects), ReflectorWait{*asked}};
}

// A complete set could not be had. If its version was the reason, ask for the most recent one, at once: nothing is more
// recent than that, so this cannot go round in circles.
ReflectorStep on_failed_start(ReflectorState state, const absl::Status& error, bool was_recent) {
  state.phase = ReflectorEmpty{};
  if (absl::IsOutOfRange(error) || is_resource_version_too_large(error)) {
    state.needs_most_recent = true;
    if (!was_recent) return begin_afresh(std::move(state));
  }
  return pause(std::move(state), {Effect::kDiscardKept});
}

ReflectorStep on_failed_list(ReflectorState state, const absl::Status& error) {
  const bool was_recent = std::get<ReflectorListing>(state.phase).resource_version.empty();
  return on_failed_start(std::move(state), error, was_recent);
}

ReflectorStep on_failed_initial_watch(ReflectorState state, const absl::Status& error) {
  const bool was_recent = state.needs_most_recent || state.last_seen.empty();
  if (absl::IsInvalidArgument(error)) {
    state.use_watch_list = false;  // the server does not know sendInitialEvents
    return begin_afresh(std::move(state));
  }
  return on_failed_start(std::move(state), error, was_recent);
}

ReflectorStep on_refresh(ReflectorState state) {
  state.needs_most_recent = true;
  return begin_afresh(std::move(state));
}

ReflectorStep on_failure(ReflectorState state, const absl::Status& error) {
  if (absl::IsResourceExhausted(error)) return on_too_many_requests(std::move(state), error);
  if (is<ReflectorListing>(state)) return on_failed_list(std::move(state), error);
  if (is<ReflectorInitialWatch>(state)) return on_failed_initial_watch(std::move(state), error);
  // Too old a version, or a stream that we cannot read: asking for the same again would give the same.
  const bool hopeless = absl::IsOutOfRange(error) || absl::IsInvalidArgument(error);
  if (is<ReflectorWatching>(state) && hopeless) return start_over(std::move(state));
  if (is<ReflectorWatching>(state)) state.phase = ReflectorListed{};
  return pause(std::move(state));
}

ReflectorStep on_closed(ReflectorState state, const ReflectorWatchClosed& closed) {
  if (is<ReflectorInitialWatch>(state)) {
    state.phase = ReflectorEmpty{};
    return pause(std::move(state), {Effect::kDiscardKept});
  }
  state.phase = ReflectorListed{};
  if (closed.lived < kShortestWatch && !closed.had_events) return pause(std::move(state));
  prove(state);
  return open_watch(std::move(state));
}

}  // namespace

absl::Duration reflector_backoff(int failures) {
  const int doublings = std::clamp(failures - 1, 0, 16);
  return std::min(kFirstBackoff * std::ldexp(1.0, doublings), kMaxBackoff);
}

ReflectorStep reflector_step(ReflectorState state, const ReflectorEvent& event) {
  if (std::holds_alternative<ReflectorStart>(event) || std::holds_alternative<ReflectorDelayOver>(event)) {
    return proceed(std::move(state));
  }
  if (std::holds_alternative<ReflectorRefresh>(event)) return on_refresh(std::move(state));
  if (const auto* page = std::get_if<ReflectorPage>(&event)) return on_page(std::move(state), *page);
  if (const auto* seen = std::get_if<ReflectorWatchEvent>(&event)) return on_watch_event(std::move(state), *seen);
  if (const auto* closed = std::get_if<ReflectorWatchClosed>(&event)) return on_closed(std::move(state), *closed);
  return on_failure(std::move(state), std::get<ReflectorFailure>(event).error);
}

}  // namespace tidegate::kube
