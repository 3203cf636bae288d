// A person's commands: annotations, each acted on once. What was acted on is kept in status.handledCommands for as long
// as the annotation is there, so nothing is done twice and nothing in metadata has to be written.
#include <absl/strings/numbers.h>

#include <algorithm>
#include <string>

#include "base/strings.h"
#include "rollout/planners.h"
#include "rollout/stage.h"
#include "rollout/transitions.h"

namespace tidegate::rollout {
namespace {

using base::cat;

using Action = void (*)(Draft&, const std::string& argument);

void refuse(Draft& draft, std::string_view command, const std::string& argument, std::string_view why) {
  draft.event(EventType::kWarning, "CommandIgnored", cat(command, " ", argument, ": ", why));
}

bool is_canary(const Draft& draft, const std::string& revision) {
  return draft.status.canary && draft.status.canary->revision == revision;
}

void retry(Draft& draft, const std::string& revision) {
  const api::QuarantinedRevision* entry = draft.quarantined(revision);
  if (entry == nullptr) return refuse(draft, "retry", revision, "this revision is not quarantined");
  draft.event(EventType::kNormal, "Retry", cat(version_name(entry->version), " may be rolled out again"));
  std::erase_if(draft.status.quarantined,
                [&](const api::QuarantinedRevision& other) { return other.revision == revision; });
}

void resume(Draft& draft, const std::string& argument) {
  int step = 0;
  auto& canary = draft.status.canary;
  if (!absl::SimpleAtoi(argument, &step)) return refuse(draft, "resume", argument, "not the number of a step");
  if (!canary || canary->step != step) return refuse(draft, "resume", argument, "the rollout is not at this step");
  canary->resumed_step = step;
  if (!canary->failure.empty()) {  // measured anew from now on
    canary->failure.clear();
    canary->measure_from.reset();
    canary->last_progress = draft.now();
  }
  draft.event(EventType::kNormal, "Resumed", cat("step ", step, " resumed"));
}

void promote(Draft& draft, const std::string& revision) {
  if (!is_canary(draft, revision)) return refuse(draft, "promote", revision, "this revision is not being rolled out");
  api::CanaryStatus& canary = *draft.status.canary;
  canary.promoted = true;
  canary.failure.clear();
  canary.last_progress = draft.now();
  draft.event(EventType::kNormal, "PromoteRequested",
              cat(version_name(canary.version), ": the rest of the analysis is skipped"));
}

void abort(Draft& draft, const std::string& revision) {
  if (!is_canary(draft, revision)) return refuse(draft, "abort", revision, "this revision is not being rolled out");
  if (!draft.status.stable) return refuse(draft, "abort", revision, "there is no other revision to go back to");
  draft.status.canary->failure = kAborted;
  draft.status.canary->promoted = false;
}

struct Command {
  const char* name;
  const char* annotation;
  Action action;
};

// Abort last: of two commands in one look the careful one wins.
constexpr Command kCommands[] = {
    {"retry", api::kRetryAnnotation, retry},
    {"resume", api::kResumeAnnotation, resume},
    {"promote", api::kPromoteAnnotation, promote},
    {"abort", api::kAbortAnnotation, abort},
};

const std::string* annotation(const Draft& draft, const char* name) {
  const auto& annotations = draft.observed.metadata.annotations;
  const auto found = annotations.find(name);
  return found == annotations.end() || found->second.empty() ? nullptr : &found->second;
}

void act_once(Draft& draft, const Command& command) {
  auto& handled = draft.status.handled_commands;
  const auto entry = std::find_if(handled.begin(), handled.end(),
                                  [&](const api::HandledCommand& other) { return other.command == command.name; });
  const std::string* argument = annotation(draft, command.annotation);
  if (entry != handled.end()) {
    if (argument != nullptr && entry->argument == *argument) return;
    handled.erase(entry);
  }
  if (argument == nullptr) return;
  command.action(draft, *argument);
  handled.push_back({.command = command.name, .argument = *argument, .at = draft.now()});
}

}  // namespace

void plan_commands(Draft& draft) {
  for (const Command& command : kCommands) act_once(draft, command);
}

}  // namespace tidegate::rollout
