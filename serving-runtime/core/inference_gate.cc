#include "serving-runtime/core/inference_gate.h"

namespace tidegate::serving {

absl::Status InferenceGate::run(Work work) {
  {
    std::lock_guard lock(mutex_);
    if (running_ >= slots_) {
      if (queue_.size() >= max_queued_) {
        return absl::ResourceExhaustedError("The queue of requests that wait for the model is full; try again later");
      }
      queue_.push_back(std::move(work));
      return absl::OkStatus();
    }
    ++running_;
  }
  run_in_slot(work);
  return absl::OkStatus();
}

void InferenceGate::run_in_slot(const Work& work) {
  work();
  Work next;
  {
    std::lock_guard lock(mutex_);
    if (queue_.empty()) {
      --running_;
      return;
    }
    next = std::move(queue_.front());
    queue_.pop_front();
  }
  post_([this, next = std::move(next)] { run_in_slot(next); });
}

size_t InferenceGate::queued() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

size_t InferenceGate::running() const {
  std::lock_guard lock(mutex_);
  return running_;
}

}  // namespace tidegate::serving
