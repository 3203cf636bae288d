#include "kube/reflector.h"

#include <utility>

#include "base/log.h"
#include "kube/errors.h"

namespace tidegate::kube {
namespace {

// What is made of a page's text away from the loop. Owns all that it needs: the reflector may be gone meanwhile.
struct Reading {
  Reading(ListText text, std::unique_ptr<ReflectorSink::Batch> objects)
      : text(std::move(text)), objects(std::move(objects)) {}

  ListText text;
  std::unique_ptr<ReflectorSink::Batch> objects;
  ReflectorPage page;
  absl::Status error;

  void read() {
    const absl::StatusOr<ListDocument> document = read_list_page(std::move(text));
    error = document.status();
    if (!document.ok()) return;
    page = {document->resource_version, document->continue_token};
    for (const JsonView& item : document->items) objects->add(item);
  }
};

}  // namespace

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
  executor_ = co_await boost::asio::this_coro::executor;
  std::optional<ReflectorCommand> command = advance(ReflectorStart{}, {});
  while (!scope.cancelled() && command) {
    ReflectorEvent event = co_await perform_interruptibly(*command, scope);
    if (scope.cancelled()) co_return;
    if (std::exchange(refresh_asked_, false)) {
      page_.reset();
      event = ReflectorRefresh{};
    }
    command = advance(event, {});
    page_.reset();
  }
}

void Reflector::refresh() {
  refresh_asked_ = refreshing_ = true;
  commits_the_fresh_ = false;  // a set that was under way when somebody asked for a fresh one is not that one
  if (request_ != nullptr) request_->cancel();
}

base::Task<ReflectorEvent> Reflector::perform_interruptibly(ReflectorCommand command, base::Scope& scope) {
  base::Scope request(scope);
  request_ = &request;
  ReflectorEvent event = co_await perform(std::move(command), request);
  request_ = nullptr;
  co_return event;
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
  absl::StatusOr<ListText> text = co_await client_.list_text(resource_, std::move(options), scope);
  if (!text.ok()) co_return ReflectorFailure{text.status()};
  auto reading = std::make_shared<Reading>(*std::move(text), sink_.make_batch());
  const std::function<void()> read = [reading] { reading->read(); };
  co_await base::run_beside(options_.background, read);
  if (!reading->error.ok()) co_return ReflectorFailure{reading->error};
  page_ = std::move(reading->objects);
  co_return reading->page;
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
      keep(objects);
      return;
    case ReflectorEffect::kDiscardKept:
      sink_.discard_kept();
      ++commits_;  // gives up the one that is under way
      return;
    case ReflectorEffect::kCommit:
      begin_commit();
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

void Reflector::keep(std::span<const JsonView> objects) {
  if (page_) sink_.keep(*page_);
  for (const JsonView& object : objects) sink_.keep(object);
}

void Reflector::begin_commit() {
  if (std::exchange(listed_before_, true) && client_.metrics() != nullptr) {
    ++client_.metrics()->relists[resource_.plural];
  }
  sink_.begin_commit(state_.last_seen);
  commits_the_fresh_ = !refresh_asked_;
  commit_more(++commits_);
}

// A slice, and the next one in a later turn. What the watch brings meanwhile goes between them.
void Reflector::commit_more(uint64_t commit) {
  if (commit != commits_) return;
  if (!sink_.commit_some(kCommitSlice)) {
    if (commits_the_fresh_) refreshing_ = false;
    return;
  }
  boost::asio::post(*executor_, [this, commit, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) commit_more(commit);
  });
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
