#include "serving-runtime/repository/model_repository.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace tidegate::serving {
namespace {

// How often a model is looked at that polls nothing, while requests still use what it has unloaded, or a load that
// failed is to be tried again.
constexpr absl::Duration kUnfinished = absl::Seconds(1);
// The same for one that makes room for others: they wait, and only a glance at the table can hold it up.
constexpr absl::Duration kMakingRoom = absl::Milliseconds(10);

bool serves(const ServableTable& table, const std::string& name, std::optional<int64_t> version) {
  return table.can_serve({name, version, std::nullopt});
}

}  // namespace

ModelRepository::ModelRepository(BackendSource backends, ServableDirectory& directory, const base::Clock& clock,
                                 RepositoryOptions options)
    : backends_(std::move(backends)), directory_(directory), clock_(clock), options_(std::move(options)) {
  if (options_.residents == nullptr) return;
  options_.residents->on_work([this] {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
}

// ---------------------------------------------------------------- what is wanted

void ModelRepository::reload(std::vector<ModelConfig> models, ReloadDone done) {
  std::unique_lock lock(mutex_);
  const absl::Status refused = stopped_ ? absl::CancelledError("the server is shutting down") : check_change(models);
  if (refused.ok()) {
    base::log_info("models are set", {{"models", uint64_t{models.size()}}});
    std::set<std::string> fresh = take_over(std::move(models));
    if (!fresh.empty()) {
      waiters_.until_loaded(std::move(fresh), std::move(done));
      changed_.notify_all();
      return;
    }
    changed_.notify_all();
  }
  lock.unlock();
  done({refused, {}});
}

absl::Status ModelRepository::check_change(const std::vector<ModelConfig>& models) const {
  TG_RETURN_IF_ERROR(check_models(models));
  if (!configured_) return absl::OkStatus();
  for (const ModelConfig& model : models) {
    const auto before = configs_.find(model.name);
    const bool both_say = before != configs_.end() && !before->second.platform.empty() && !model.platform.empty();
    if (both_say && before->second.platform != model.platform) {
      return absl::InvalidArgumentError(base::cat("Illegal to change a model's platform. For model ", model.name,
                                                  " platform was ", before->second.platform,
                                                  " and new platform requested is ", model.platform));
    }
    TG_RETURN_IF_ERROR(check_labels(model));
  }
  return absl::OkStatus();
}

absl::Status ModelRepository::check_labels(const ModelConfig& model) const {
  const auto before = configs_.find(model.name);
  const auto table = directory_.read();
  for (const auto& [label, version] : model.labels) {
    if (serves(*table, model.name, version)) continue;
    const bool in_use =
        before != configs_.end() && before->second.labels.contains(label) && before->second.labels.at(label) != version;
    if (options_.labels_for_unavailable && !in_use) continue;
    return absl::FailedPreconditionError(base::cat("Request to assign label to version ", version, " of model ",
                                                   model.name, ", which is not currently available for inference"));
  }
  return absl::OkStatus();
}

// The names of those that are new.
std::set<std::string> ModelRepository::take_over(std::vector<ModelConfig> models) {
  std::map<std::string, ModelConfig> configs;
  std::set<std::string> fresh;
  for (ModelConfig& model : models) {
    if (!configs_.contains(model.name) || unloaded_.contains(model.name)) fresh.insert(model.name);
    configs[model.name] = std::move(model);
  }
  for (auto& [name, slot] : slots_) {
    if (!configs.contains(name)) begin_to_leave(name, slot);
  }
  for (const auto& [name, config] : configs) {
    const auto before = configs_.find(name);
    if (fresh.contains(name) || before->second != config) add(config);
  }
  configs_ = std::move(configs);
  unloaded_.clear();
  configured_ = true;
  return fresh;
}

void ModelRepository::add(ModelConfig config) {
  const auto slot = slots_.find(config.name);
  if (slot == slots_.end()) {
    const std::string name = config.name;
    auto versions = std::make_unique<ModelVersions>(std::move(config), backends_, directory_, clock_, options_.loading);
    slots_.emplace(name, std::move(versions)).first->second.resident = options_.residents == nullptr;
    if (options_.residents != nullptr) options_.residents->add(name);
    return;
  }
  if (options_.residents != nullptr) options_.residents->forget_failure(config.name);
  // At once: whoever has brought a config may ask by its labels as soon as he is answered. Versions come in their time.
  directory_.update([&config](ServableTable& table) {
    const auto model = table.models.find(config.name);
    if (model != table.models.end()) model->second.labels = config.labels;
  });
  slot->second.next = std::move(config);
  slot->second.due = -absl::InfiniteDuration();
}

void ModelRepository::begin_to_leave(const std::string& name, Slot& slot) {
  if (options_.residents != nullptr) options_.residents->remove(name);
  slot.leaving = true;
  slot.next.reset();
  slot.due = -absl::InfiniteDuration();
}

void ModelRepository::load(const std::string& name, Done done) {
  std::unique_lock lock(mutex_);
  const auto config = configs_.find(name);
  if (stopped_ || config == configs_.end()) {
    lock.unlock();
    return done(absl::NotFoundError(base::cat("There is no model ", name, " in the server's configuration")));
  }
  unloaded_.erase(name);
  add(config->second);
  if (options_.residents != nullptr) {
    changed_.notify_all();
    lock.unlock();
    return options_.residents->need(name, absl::InfiniteFuture(),
                                    [done = std::move(done)](const auto& use) { done(use.status()); });
  }
  waiters_.until_loaded({name}, [name, done = std::move(done)](const Outcome& outcome) {
    const auto why = outcome.failed.find(name);
    done(why == outcome.failed.end() ? outcome.status : why->second);
  });
  changed_.notify_all();
}

void ModelRepository::unload(const std::string& name, Done done) {
  std::unique_lock lock(mutex_);
  const auto slot = slots_.find(name);
  if (stopped_ || !configs_.contains(name) || slot == slots_.end()) {
    lock.unlock();
    return done(absl::NotFoundError(base::cat("The server has no model ", name, " that it could unload")));
  }
  unloaded_.insert(name);
  begin_to_leave(name, slot->second);
  waiters_.until_gone(name, [done = std::move(done)](const Outcome& outcome) { done(outcome.status); });
  changed_.notify_all();
}

std::vector<ModelConfig> ModelRepository::models() const {
  std::lock_guard lock(mutex_);
  std::vector<ModelConfig> models;
  for (const auto& [name, config] : configs_) models.push_back(config);
  return models;
}

// ---------------------------------------------------------------- what is done

std::optional<absl::Duration> ModelRepository::run_one() {
  std::unique_lock lock(mutex_);
  const auto at = stopped_ ? slots_.end() : next_due();
  if (at == slots_.end()) return time_to_next();
  Slot& slot = at->second;
  slot.busy = true;
  const bool leaving = slot.leaving, resident = slot.resident;
  std::optional<ModelConfig> next = leaving ? std::nullopt : std::exchange(slot.next, std::nullopt);
  lock.unlock();

  Worked worked = work_on(*slot.versions, std::move(next), leaving, resident);

  lock.lock();
  worked.outdated = slot.leaving != leaving || slot.resident != resident || slot.next.has_value();
  tell_waiters(at->first, worked);
  const LoadWaiters::Finished finished = waiters_.take_finished();
  report(at, worked);
  give_back(at, worked);
  changed_.notify_all();
  lock.unlock();
  finished.call();
  return std::nullopt;
}

ModelRepository::Worked ModelRepository::work_on(ModelVersions& versions, std::optional<ModelConfig> next, bool leaving,
                                                 bool resident) {
  std::unique_lock measuring(measuring_, std::defer_lock);
  if (options_.residents != nullptr) measuring.lock();
  if (leaving) return {absl::CancelledError("the model was taken out of the config meanwhile"), versions.end()};
  if (next) versions.set_config(*std::move(next));
  versions.set_resident(resident);
  return {versions.step()};
}

// Makes due what is to be loaded or unloaded: before whatever time alone has made due, and in the order in which it was
// decided, or under load some models would wait for ever behind others.
void ModelRepository::take_residency_work() {
  if (options_.residents == nullptr) return;
  while (const auto action = options_.residents->next_work()) {
    const auto slot = slots_.find(action->model);
    if (slot == slots_.end() || slot->second.leaving) continue;
    slot->second.resident = action->step == ResidencyStep::kLoad;
    slot->second.due = absl::Nanoseconds(++decisions_);
  }
}

ModelRepository::Slots::iterator ModelRepository::next_due() {
  take_residency_work();
  const absl::Duration now = clock_.uptime();
  auto chosen = slots_.end();
  for (auto slot = slots_.begin(); slot != slots_.end(); ++slot) {
    if (slot->second.busy || slot->second.due > now) continue;
    if (chosen == slots_.end() || slot->second.due < chosen->second.due) chosen = slot;
  }
  return chosen;
}

absl::Duration ModelRepository::time_to_next() const {
  absl::Duration soonest = absl::InfiniteDuration();
  for (const auto& [name, slot] : slots_) {
    if (!slot.busy) soonest = std::min(soonest, slot.due);
  }
  return soonest - clock_.uptime();
}

// What came of it says nothing when something else was ordered meanwhile: that is due at once.
void ModelRepository::report(Slots::iterator at, const Worked& worked) {
  const auto& [name, slot] = *at;
  if (options_.residents == nullptr || slot.leaving || worked.outdated) return;
  const ModelVersions& versions = *slot.versions;
  if (!slot.resident) {
    const auto need = worked.result.ok() ? absl::StatusOr<MemoryNeed>(versions.memory()) : worked.result;
    return options_.residents->at_rest(name, need, !versions.is_in_memory());
  }
  if (versions.serves()) return options_.residents->loaded(name, versions.memory().bytes);
  options_.residents->failed(name, worked.result.ok() ? absl::NotFoundError("no version of it serves") : worked.result);
}

void ModelRepository::give_back(Slots::iterator at, const Worked& worked) {
  Slot& slot = at->second;
  slot.busy = false;
  if (worked.ended) {
    // Wanted again while it was leaving.
    const std::optional<ModelConfig> next = std::move(slot.next);
    slots_.erase(at);
    if (next) add(*next);
    return;
  }
  if (worked.outdated && !slot.leaving) return;  // due at once
  const bool unfinished = slot.leaving || slot.versions->is_unfinished();
  const absl::Duration pause = options_.poll > absl::ZeroDuration() ? options_.poll : absl::InfiniteDuration();
  const absl::Duration soon = slot.resident ? kUnfinished : kMakingRoom;
  slot.due = clock_.uptime() + (unfinished ? std::min(pause, soon) : pause);
}

void ModelRepository::tell_waiters(const std::string& name, const Worked& worked) {
  if (worked.ended) waiters_.gone(name);
  if (worked.outdated) return;
  if (serves(*directory_.read(), name, std::nullopt)) {
    waiters_.serves(name);
  } else if (!worked.result.ok()) {
    waiters_.failed(name, worked.result);
  }
}

void ModelRepository::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (next_due() == slots_.end()) {
      changed_.wait_for(lock, absl::ToChronoNanoseconds(std::min(time_to_next(), absl::Hours(1))));
      continue;
    }
    lock.unlock();
    run_one();
    lock.lock();
  }
}

void ModelRepository::stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  if (options_.residents != nullptr) options_.residents->stop();
  const auto finished = waiters_.give_up(absl::CancelledError("the server is shutting down"));
  changed_.notify_all();
  lock.unlock();
  finished.call();
}

bool ModelRepository::rests_within(absl::Duration at_most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, absl::ToChronoNanoseconds(at_most), [this] {
    return std::none_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot.second.busy; });
  });
}

}  // namespace tidegate::serving
