#include "serving-runtime/core/inference_gate.h"

namespace tidegate::serving {

absl::Status InferenceGate::run(std::string_view model, Work work, Place place) {
  std::unique_lock lock(mutex_);
  const Lanes::iterator lane = lane_of(model);
  if (!has_free_slot(lane->second)) {
    if (queued_ >= limits_.max_queued) {
      drop_if_idle(lane);
      return absl::ResourceExhaustedError("The queue of requests that wait for the model is full; try again later");
    }
    ++queued_;
    lane->second.queue.push_back({++numbers_, std::move(work)});
    return absl::OkStatus();
  }
  ++running_;
  ++lane->second.running;
  lock.unlock();
  if (place == Place::kHere) {
    run_in_slot(lane, work);
  } else {
    post_([this, lane, work = std::move(work)] { run_in_slot(lane, work); });
  }
  return absl::OkStatus();
}

InferenceGate::Lanes::iterator InferenceGate::lane_of(std::string_view model) {
  if (limits_.slots_per_model == 0) model = "";
  const auto found = lanes_.find(model);
  return found == lanes_.end() ? lanes_.emplace(model, Lane{}).first : found;
}

bool InferenceGate::has_free_slot(const Lane& lane) const {
  return running_ < limits_.slots && (limits_.slots_per_model == 0 || lane.running < limits_.slots_per_model);
}

InferenceGate::Lanes::iterator InferenceGate::next() {
  auto chosen = lanes_.end();
  for (auto lane = lanes_.begin(); lane != lanes_.end(); ++lane) {
    if (lane->second.queue.empty() || !has_free_slot(lane->second)) continue;
    const bool earlier =
        chosen == lanes_.end() || lane->second.queue.front().number < chosen->second.queue.front().number;
    if (earlier) chosen = lane;
  }
  return chosen;
}

void InferenceGate::end(Lanes::iterator lane) {
  --running_;
  --lane->second.running;
  drop_if_idle(lane);
}

// Requests for models that do not exist must leave nothing behind. The lane of all models stays.
void InferenceGate::drop_if_idle(Lanes::iterator lane) {
  const bool idle = lane->second.running == 0 && lane->second.queue.empty();
  if (idle && limits_.slots_per_model > 0) lanes_.erase(lane);
}

void InferenceGate::run_in_slot(Lanes::iterator lane, const Work& work) {
  work();
  std::unique_lock lock(mutex_);
  end(lane);
  const Lanes::iterator following = next();
  if (following == lanes_.end()) return;
  Work next = std::move(following->second.queue.front().work);
  following->second.queue.pop_front();
  --queued_;
  ++running_;
  ++following->second.running;
  lock.unlock();
  post_([this, following, next = std::move(next)] { run_in_slot(following, next); });
}

size_t InferenceGate::queued() const {
  std::lock_guard lock(mutex_);
  return queued_;
}

size_t InferenceGate::running() const {
  std::lock_guard lock(mutex_);
  return running_;
}

}  // namespace tidegate::serving
