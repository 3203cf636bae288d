#include "operator/publisher/traffic_publisher.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "operator/publisher/programs.h"

namespace tidegate::operator_ {
namespace {

// While something is unfinished.
constexpr absl::Duration kTick = absl::Seconds(1);
// While nothing is served: until the stores are synced, or no longer stale.
constexpr absl::Duration kStartTick = absl::Milliseconds(50);

// A proxy waits for us to catch up, or none can reach us.
bool wants_another_try(const xds::ServerStatus& status) {
  return !status.listening || std::any_of(status.nodes.begin(), status.nodes.end(),
                                          [](const xds::NodeStatus& node) { return node.waiting; });
}

}  // namespace

TrafficPublisher::TrafficPublisher(const Stores& stores, xds::Server& server, base::Clock& clock,
                                   std::string cluster_domain, std::function<void(const base::ObjectKey&)> on_errors)
    : stores_(stores), server_(server), clock_(clock), on_errors_(std::move(on_errors)) {
  settings_.cluster_domain = std::move(cluster_domain);
}

void TrafficPublisher::changed(const base::ObjectKey& key) {
  changed_.insert(key);
  signal_.notify();
}

void TrafficPublisher::proxies_changed() {
  if (!ticking_ && wants_another_try(server_.status())) signal_.notify();
}

base::Task<void> TrafficPublisher::run(base::Scope& scope) {
  while (!scope.cancelled()) {
    const absl::Status woken = co_await signal_.wait(clock_, until_next_look(), scope);
    if (scope.cancelled()) co_return;
    if (!changed_.empty()) co_await base::sleep_for(clock_, debounce(), scope);
    look(!woken.ok());
  }
}

absl::Duration TrafficPublisher::until_next_look() {
  ticking_ = !serving_ || unfinished();
  if (!serving_) return kStartTick;
  const absl::Duration fresh_for = kStaleAfter - silence();
  return ticking_ ? std::min(kTick, fresh_for) : fresh_for;
}

void TrafficPublisher::look(bool ticked) {
  if (!stores_.synced()) return;
  if (!stale()) {
    if (!serving_ || !changed_.empty() || (ticked && unfinished())) publish();
  } else if (serving_) {
    base::log_warning("the API server has been silent for too long; proxies are sent to another replica");
    server_.withdraw();
    serving_ = false;
    ++metrics_.withdrawals;
  }
}

// After a tick without changes, what was left unfinished has reached the proxies.
bool TrafficPublisher::unfinished() const {
  return (built_ && built_->unfinished) || wants_another_try(server_.status());
}

// With many objects a build takes long, and the loop has other work: it may have a fifth of the time.
absl::Duration TrafficPublisher::debounce() const {
  const absl::Duration apart = published_at_ + kApart - clock_.uptime();
  return std::max({kDebounce, 4 * metrics_.last_build, apart});
}

absl::Duration TrafficPublisher::silence() const { return std::max(stores_.models.age(), stores_.serving_pods.age()); }

bool TrafficPublisher::stale() const { return silence() >= kStaleAfter; }

void TrafficPublisher::update_programs() {
  for (const base::ObjectKey& key : std::exchange(changed_, {})) update_program(key);
}

void TrafficPublisher::update_program(const base::ObjectKey& key) {
  std::shared_ptr<const traffic::Program> program = make_program(stores_, key);
  const auto wanted = std::tie(key.ns, key.name);
  const auto name_of = [](const auto& known) { return std::tie(known->namespace_, known->name); };
  const auto place = std::lower_bound(programs_.begin(), programs_.end(), wanted,
                                      [&](const auto& known, const auto& name) { return name_of(known) < name; });
  const bool is_known = place != programs_.end() && name_of(*place) == wanted;
  if (program == nullptr) {
    if (is_known) programs_.erase(place);
  } else if (!is_known) {
    programs_.insert(place, std::move(program));
  } else if (**place != *program) {
    *place = std::move(program);
  }
}

void TrafficPublisher::publish() {
  const absl::Duration begun = clock_.uptime();
  update_programs();
  settings_.store_resource_version = stores_.models.resource_version();
  built_ = traffic::build(programs_, settings_, built_ ? &*built_ : nullptr);
  server_.publish(built_->snapshot);
  const bool serves = server_.status().listening;
  if (serves && !serving_) base::log_info("serving xDS", {{"resourceVersion", built_->snapshot->resource_version}});
  serving_ = serves;
  ++metrics_.builds;
  metrics_.rebuilt += built_->rebuilt;
  published_at_ = clock_.uptime();
  metrics_.last_build = published_at_ - begun;
  note_errors(built_->errors);
}

void TrafficPublisher::note_errors(const std::vector<traffic::ProgramError>& errors) {
  std::map<base::ObjectKey, traffic::ProgramError> present;
  for (const traffic::ProgramError& error : errors) present.try_emplace({error.namespace_, error.name}, error);
  const auto before = std::exchange(errors_, present);
  for (const auto& [key, error] : present) {
    auto known = before.find(key);
    if (known == before.end() || known->second != error) on_errors_(key);
  }
  for (const auto& [key, error] : before) {
    if (!present.contains(key)) on_errors_(key);
  }
}

std::optional<traffic::ProgramError> TrafficPublisher::error_of(const base::ObjectKey& key) const {
  auto found = errors_.find(key);
  if (found == errors_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tidegate::operator_
