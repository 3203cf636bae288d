#include "serving-runtime/repository/resident_models.h"

#include <algorithm>

#include "base/log.h"
#include "base/status.h"

namespace tidegate::serving {

// A request's hold on a model.
class ResidentModels::Use {
 public:
  Use(ResidentModels& owner, std::string model, uint64_t incarnation)
      : owner_(owner), model_(std::move(model)), incarnation_(incarnation) {}
  ~Use() { owner_.release(model_, incarnation_); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  ResidentModels& owner_;
  const std::string model_;
  const uint64_t incarnation_;
};

// ---------------------------------------------------------------- requests

void ResidentModels::need(std::string_view model, absl::Time deadline, Then then) {
  std::unique_lock lock(mutex_);
  const auto found = residences_.find(model);
  if (found == residences_.end()) {
    lock.unlock();
    return then(ModelUse());
  }
  auto& [name, residence] = *found;
  if (residence.presence == Presence::kResident) {
    ModelUse use = hold(name, residence);
    lock.unlock();
    return then(std::move(use));
  }
  Details& details = details_.find(name)->second;
  if (absl::Status why = why_not_wait(details, deadline); !why.ok()) {
    lock.unlock();
    return then(std::move(why));
  }
  details.waiters.push_back({deadline, std::move(then)});
  ++waiting_;
  if (residence.asked == 0) residence.asked = ++count_;
  plan();
  send_answers(lock);
  on_work_();
  if (deadline != absl::InfiniteFuture()) options_.wake_at(deadline);
}

absl::Status ResidentModels::why_not_wait(const Details& details, absl::Time deadline) const {
  const absl::Time now = clock_.now();
  if (stopped_) return absl::UnavailableError("The server is shutting down and loads no more models");
  if (deadline < now) return absl::DeadlineExceededError("The deadline passed before the model was loaded");
  if (!details.unusable.ok()) return details.unusable;
  if (!details.failure.ok() && now < details.retry_at) return details.failure;
  if (waiting_ < options_.max_waiting) return absl::OkStatus();
  return absl::ResourceExhaustedError("Too many requests wait for models to be loaded; try again later");
}

ModelUse ResidentModels::hold(const std::string& model, ModelResidence& residence) {
  ++residence.uses;
  residence.last_used = ++count_;
  return std::make_shared<const Use>(*this, model, details_.find(model)->second.incarnation);
}

void ResidentModels::release(const std::string& model, uint64_t incarnation) {
  std::unique_lock lock(mutex_);
  const auto details = details_.find(model);
  if (details == details_.end() || details->second.incarnation != incarnation) return;
  ModelResidence& residence = residences_.find(model)->second;
  residence.last_used = ++count_;
  if (--residence.uses > 0) return;
  plan();
  const bool work = !work_.empty();
  send_answers(lock);
  if (work) on_work_();
}

absl::Time ResidentModels::expire() {
  std::unique_lock lock(mutex_);
  const absl::Time now = clock_.now();
  absl::Time next = absl::InfiniteFuture();
  for (auto& [name, details] : details_) {
    for (auto waiter = details.waiters.begin(); waiter != details.waiters.end();) {
      if (waiter->deadline > now) {
        next = std::min(next, (waiter++)->deadline);
        continue;
      }
      answers_.emplace_back(std::move(waiter->then),
                            absl::DeadlineExceededError("The deadline passed before the model was loaded"));
      waiter = details.waiters.erase(waiter);
      --waiting_;
    }
    if (details.waiters.empty()) residences_.find(name)->second.asked = 0;
  }
  plan();
  send_answers(lock);
  on_work_();
  return next;
}

// ---------------------------------------------------------------- decisions

void ResidentModels::plan() {
  while (auto action = next_residency_action(residences_, options_.max_bytes)) {
    if (action->step == ResidencyStep::kLoad && !guess_.knows_any() && loads_any()) return;
    carry_out(*action);
  }
}

// The first load of all shows what to expect of the others, which before are taken for no larger than their files.
bool ResidentModels::loads_any() const {
  return std::any_of(residences_.begin(), residences_.end(),
                     [](const auto& entry) { return entry.second.presence == Presence::kLoading; });
}

void ResidentModels::carry_out(const ResidencyAction& action) {
  ModelResidence& residence = residences_.find(action.model)->second;
  switch (action.step) {
    case ResidencyStep::kLoad:
      residence.presence = Presence::kLoading;
      work_.push_back(action);
      return;
    case ResidencyStep::kUnload:
      base::log_info("model makes room for others", {{"model", action.model}, {"bytes", residence.bytes.value_or(0)}});
      ++details_.find(action.model)->second.evictions;
      return begin_unload(action.model);
    case ResidencyStep::kRefuse:
      return refuse_all(action.model, absl::ResourceExhaustedError(base::cat(
                                          "Model ", action.model, " takes ", *residence.bytes, " bytes, more than the ",
                                          options_.max_bytes, " of --max-resident")));
  }
}

void ResidentModels::begin_unload(const std::string& model) {
  residences_.find(model)->second.presence = Presence::kUnloading;
  work_.push_back({ResidencyStep::kUnload, model});
}

void ResidentModels::learn(const std::string& model, Details& details, uint64_t bytes) {
  details.measured = true;
  if (details.file_bytes == 0 || !guess_.learn(model, details.file_bytes, bytes)) return;
  for (auto& [name, residence] : residences_) {
    const Details& other = details_.find(name)->second;
    const bool guessed = residence.presence == Presence::kAbsent && residence.bytes && !other.measured;
    if (guessed) residence.bytes = expected_bytes(other);
  }
}

// A guess alone makes no model too large.
uint64_t ResidentModels::expected_bytes(const Details& details) const {
  return std::max(details.file_bytes, std::min(guess_.expected_bytes(details.file_bytes), options_.max_bytes));
}

void ResidentModels::answer_all(const std::string& model, absl::FunctionRef<absl::StatusOr<ModelUse>()> answer) {
  residences_.find(model)->second.asked = 0;
  std::list<Waiter>& waiters = details_.find(model)->second.waiters;
  waiting_ -= waiters.size();
  for (Waiter& waiter : waiters) answers_.emplace_back(std::move(waiter.then), answer());
  waiters.clear();
}

void ResidentModels::refuse_all(const std::string& model, const absl::Status& why) {
  answer_all(model, [&why] { return why; });
}

void ResidentModels::send_answers(std::unique_lock<std::mutex>& lock) {
  Answers answers = std::exchange(answers_, {});
  lock.unlock();
  for (auto& [then, result] : answers) {
    options_.post([then = std::move(then), result = std::move(result)] { then(result); });
  }
}

// ---------------------------------------------------------------- what the repository does

std::optional<ResidencyAction> ResidentModels::next_work() {
  std::lock_guard lock(mutex_);
  if (work_.empty()) return std::nullopt;
  ResidencyAction action = std::move(work_.front());
  work_.pop_front();
  return action;
}

void ResidentModels::add(const std::string& model) {
  std::lock_guard lock(mutex_);
  residences_[model] = {};
  details_[model].incarnation = ++added_;
}

void ResidentModels::forget_failure(const std::string& model) {
  std::lock_guard lock(mutex_);
  const auto details = details_.find(model);
  if (details == details_.end()) return;
  details->second.failure = details->second.unusable = absl::OkStatus();
}

void ResidentModels::remove(const std::string& model) {
  std::unique_lock lock(mutex_);
  const auto details = details_.find(model);
  if (details == details_.end()) return;
  answer_all(model, [] { return ModelUse(); });
  std::erase_if(work_, [&model](const ResidencyAction& action) { return action.model == model; });
  guess_.forget(model);
  residences_.erase(residences_.find(model));
  details_.erase(details);
  plan();
  send_answers(lock);
}

void ResidentModels::at_rest(const std::string& model, const absl::StatusOr<MemoryNeed>& need, bool gone) {
  std::unique_lock lock(mutex_);
  const auto found = residences_.find(model);
  if (found == residences_.end()) return;
  ModelResidence& residence = found->second;
  Details& details = details_.find(model)->second;
  details.unusable = need.status();
  residence.bytes = std::nullopt;
  if (need.ok() && need->measured) {
    residence.bytes = need->bytes;
    learn(model, details, need->bytes);
  } else if (need.ok()) {
    details.file_bytes = need->bytes;
    details.measured = false;
    residence.bytes = expected_bytes(details);
  }
  if (gone && residence.presence == Presence::kUnloading) residence.presence = Presence::kAbsent;
  if (!need.ok()) refuse_all(model, need.status());
  plan();
  send_answers(lock);
}

// The first load may show that it is larger than its files; whether that was the backend's own beginning shows when it
// is unloaded. Those who wait go on waiting until that is known.
void ResidentModels::loaded(const std::string& model, uint64_t bytes) {
  std::unique_lock lock(mutex_);
  const auto found = residences_.find(model);
  if (found == residences_.end()) return;
  ModelResidence& residence = found->second;
  Details& details = details_.find(model)->second;
  residence.bytes = bytes;
  learn(model, details, bytes);
  if (residence.presence == Presence::kLoading && bytes > options_.max_bytes) {
    begin_unload(model);
  } else if (residence.presence == Presence::kLoading) {
    residence.presence = Presence::kResident;
    residence.last_used = ++count_;
    details.failure = absl::OkStatus();
    ++details.loads;
    answer_all(model, [&] { return hold(model, residence); });
  }
  plan();
  send_answers(lock);
}

void ResidentModels::failed(const std::string& model, const absl::Status& why) {
  std::unique_lock lock(mutex_);
  const auto found = residences_.find(model);
  if (found == residences_.end() || found->second.presence != Presence::kLoading) return;
  Details& details = details_.find(model)->second;
  details.failure = why;
  details.retry_at = clock_.now() + options_.retry_pause;
  refuse_all(model, why);
  begin_unload(model);
  send_answers(lock);
}

void ResidentModels::stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  for (const auto& [name, residence] : residences_) {
    refuse_all(name, absl::UnavailableError("The server is shutting down and loads no more models"));
  }
  send_answers(lock);
}

ModelDemand::Counts ResidentModels::counts() const {
  std::lock_guard lock(mutex_);
  Counts counts;
  counts.max_bytes = options_.max_bytes;
  counts.waiting = waiting_;
  for (const auto& [name, residence] : residences_) {
    const Details& details = details_.find(name)->second;
    const bool there = residence.presence != Presence::kAbsent;
    counts.models[name] = {there ? residence.bytes.value_or(0) : 0, details.loads, details.evictions};
  }
  return counts;
}

}  // namespace tidegate::serving
