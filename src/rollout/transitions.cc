#include "rollout/transitions.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace tidegate::rollout {
namespace {

using base::cat;

constexpr size_t kMaxQuarantined = 20;

template <typename Entry>
void erase_revision(std::vector<Entry>& entries, std::string_view revision) {
  std::erase_if(entries, [&](const Entry& entry) { return entry.revision == revision; });
}

void record(Draft& draft, api::Outcome outcome, std::string_view by, std::string message) {
  const api::CanaryStatus& canary = *draft.status.canary;
  auto& history = draft.status.history;
  history.push_back({.revision = canary.revision,
                     .version = canary.version,
                     .digest = canary.digest,
                     .outcome = outcome,
                     .started = canary.started.value_or(draft.now()),
                     .finished = draft.now(),
                     .by = std::string(by),
                     .message = std::move(message)});
  const size_t limit = static_cast<size_t>(std::max(1, draft.rollout().history_limit));
  if (history.size() > limit) history.erase(history.begin(), history.end() - static_cast<ptrdiff_t>(limit));
}

void quarantine(Draft& draft, const Ending& ending) {
  const api::CanaryStatus& canary = *draft.status.canary;
  auto& quarantined = draft.status.quarantined;
  erase_revision(quarantined, canary.revision);
  quarantined.push_back({.revision = canary.revision,
                         .version = canary.version,
                         .digest = canary.digest,
                         .reason = ending.reason,
                         .message = ending.message,
                         .since = draft.now()});
  if (quarantined.size() > kMaxQuarantined) quarantined.erase(quarantined.begin());
}

void announce_ending(Draft& draft, const Ending& ending) {
  const std::string name = version_name(draft.status.canary->version);
  switch (ending.outcome) {
    case api::Outcome::kRolledBack: {
      std::string text = cat(name, " rolled back: ", ending.message);
      draft.event(EventType::kWarning, "RolledBack", text);
      draft.notify("RolledBack", std::move(text));
      break;
    }
    case api::Outcome::kAborted: {
      std::string text = cat(name, " aborted: ", ending.message);
      draft.event(EventType::kNormal, "Aborted", text);
      draft.notify("Aborted", std::move(text));
      break;
    }
    case api::Outcome::kReplaced:
    case api::Outcome::kPromoted:
      draft.event(EventType::kNormal, "Replaced", cat(name, " is no longer rolled out: ", ending.message));
      break;
  }
}

}  // namespace

void begin_rollout(Draft& draft, const WantedRevision& wanted) {
  api::CanaryStatus canary;
  canary.revision = wanted.revision;
  canary.version = wanted.version;
  canary.source_digest = wanted.source_digest;
  canary.started = draft.now();
  canary.last_progress = draft.now();
  canary.weight = draft.share(wanted.revision);  // it may stand in for stable at this moment
  draft.status.canary = std::move(canary);
  draft.status.analysis.clear();
  erase_revision(draft.status.draining, wanted.revision);
  const bool first = !draft.status.stable.has_value();
  draft.event(EventType::kNormal, "RolloutStarted",
              first ? cat("first deployment: ", version_name(wanted.version), " as ", wanted.revision)
                    : cat(version_name(wanted.version), " as ", wanted.revision, " beside ",
                          version_name(draft.status.stable->version)));
}

void end_rollout(Draft& draft, const Ending& ending) {
  record(draft, ending.outcome, ending.by, ending.message);
  if (ending.quarantine) quarantine(draft, ending);
  announce_ending(draft, ending);
  drain(draft, draft.status.canary->revision, draft.status.canary->version);
  draft.status.canary.reset();
}

void promote_canary(Draft& draft, std::string_view by, std::string message) {
  const api::CanaryStatus canary = *draft.status.canary;
  record(draft, api::Outcome::kPromoted, by, message);
  if (draft.status.stable) drain(draft, draft.status.stable->revision, draft.status.stable->version);
  draft.status.stable = api::RevisionStatus{.revision = canary.revision,
                                            .version = canary.version,
                                            .source_digest = canary.source_digest,
                                            .digest = canary.digest,
                                            .replicas = canary.replicas,
                                            .available = canary.available};
  draft.status.canary.reset();
  // A new stable is a new standard: what failed against the former one may be asked for again (rule 6).
  draft.status.quarantined.clear();
  std::string text = cat(version_name(canary.version), " promoted: ", message);
  draft.event(EventType::kNormal, "Promoted", text);
  draft.notify("Promoted", std::move(text));
}

void drain(Draft& draft, std::string_view revision, std::string_view version) {
  for (const api::DrainingStatus& draining : draft.status.draining) {
    if (draining.revision == revision) return;
  }
  draft.status.draining.push_back(
      {.revision = std::string(revision), .version = std::string(version), .since = draft.now()});
}

}  // namespace tidegate::rollout
