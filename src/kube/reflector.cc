#include "kube/reflector.h"

#include <utility>

#include "base/log.h"
#include "kube/errors.h"

namespace tidegate::kube {

Reflector::Reflector(Client& client, GroupVersionResource resource, ReflectorOptions options, ReflectorSink& sink,
                     base::Clock& clock, base::Random& random)
    : client_(client),
      resource_(std::move(resource)),
      options_(std::move(options)),
      sink_(sink),
      clock_(clock),
      random_(random) {
  state_.use_watch_list = options_.use_watch_list;
}

base::Task<void> Reflector::run(base::Scope& scope) {
  std::optional<ReflectorCommand> command = advance(ReflectorStart{}, {});
  while (!scope.cancelled() && command) {
    ReflectorEvent event = co_await perform(*command, scope);
    if (scope.cancelled()) co_return;
    command = advance(event, page_.items);
    page_ = {};
  }
}

base::Task<ReflectorEvent> Reflector::perform(ReflectorCommand command, base::Scope& scope) {
  if (const auto* page = std::get_if<ReflectorRequestPage>(&command)) {
    ReflectorEvent event = co_await request_page(*page, scope);
    co_return event;
  }
  if (const auto* open = std::get_if<ReflectorOpenWatch>(&command)) {
    ReflectorEvent event = co_await watch(*open, scope);
    co_return event;
  }
  ReflectorEvent event = co_await wait(std::get<ReflectorWait>(command), scope);
  co_return event;
}

base::Task<ReflectorEvent> Reflector::request_page(ReflectorRequestPage request, base::Scope& scope) {
  ListOptions options{options_.ns, options_.label_selector, options_.field_selector, request.resource_version,
                      request.continue_token};
  options.metadata_only = options_.metadata_only;
  absl::StatusOr<ListDocument> page = co_await client_.list_document(resource_, std::move(options), scope);
  if (!page.ok()) co_return ReflectorFailure{page.status()};
  page_ = *std::move(page);
  co_return ReflectorPage{page_.resource_version, page_.continue_token};
}

base::Task<ReflectorEvent> Reflector::watch(ReflectorOpenWatch request, base::Scope& scope) {
  if (std::exchange(watched_before_, true) && client_.metrics() != nullptr) {
    ++client_.metrics()->watch_restarts[resource_.plural];
  }
  WatchOptions options{options_.ns,     options_.label_selector,    options_.field_selector, request.resource_version,
                       watch_timeout(), request.send_initial_events};
  options.metadata_only = options_.metadata_only;
  const absl::Duration opened = clock_.uptime();
  bool had_events = false;
  auto on_event = [this, &had_events](const WatchEvent& event) {
    had_events = true;
    last_error_ = absl::OkStatus();
    // What is in flight goes on: the machine asks for nothing new while a watch brings events.
    advance(ReflectorWatchEvent{event.type, event.resource_version(), event.ends_initial_events()},
            std::span(&event.object, 1));
  };
  absl::Status ended = co_await client_.watch(resource_, std::move(options), std::move(on_event), scope);
  if (!ended.ok()) co_return ReflectorFailure{ended};
  co_return ReflectorWatchClosed{clock_.uptime() - opened, had_events};
}

base::Task<ReflectorEvent> Reflector::wait(ReflectorWait request, base::Scope& scope) {
  const double factor = request.jitter ? 1.0 + random_.uniform() : 1.0;
  co_await base::sleep_for(clock_, request.delay * factor, scope);
  co_return ReflectorDelayOver{};
}

absl::Duration Reflector::watch_timeout() {
  return options_.watch_timeout_min + random_.uniform() * (options_.watch_timeout_max - options_.watch_timeout_min);
}

std::optional<ReflectorCommand> Reflector::advance(const ReflectorEvent& event, std::span<const JsonView> objects) {
  note(event);
  ReflectorStep step = reflector_step(std::move(state_), event);
  state_ = std::move(step.state);
  for (const ReflectorEffect effect : step.effects) take_effect(effect, objects);
  return std::move(step.command);
}

void Reflector::take_effect(ReflectorEffect effect, std::span<const JsonView> objects) {
  switch (effect) {
    case ReflectorEffect::kKeep:
      for (const JsonView& object : objects) sink_.keep(object);
      return;
    case ReflectorEffect::kDiscardKept:
      sink_.discard_kept();
      return;
    case ReflectorEffect::kCommit:
      sink_.commit(state_.last_seen);
      if (std::exchange(listed_before_, true) && client_.metrics() != nullptr) {
        ++client_.metrics()->relists[resource_.plural];
      }
      return;
    case ReflectorEffect::kUpsert:
      sink_.upsert(objects.front());
      return;
    case ReflectorEffect::kErase:
      sink_.erase(objects.front());
      return;
    case ReflectorEffect::kProgress:
      sink_.progress(state_.last_seen);
      return;
  }
}

void Reflector::note(const ReflectorEvent& event) {
  if (std::holds_alternative<ReflectorPage>(event) || std::holds_alternative<ReflectorWatchClosed>(event)) {
    last_error_ = absl::OkStatus();
  }
  if (const auto* failure = std::get_if<ReflectorFailure>(&event)) {
    last_error_ = failure->error;
    base::log_warning("list or watch failed; trying again",
                      {{"collection", resource_.plural}, {"failures", state_.failures + 1}, {"error", failure->error}});
  }
}

}  // namespace tidegate::kube
