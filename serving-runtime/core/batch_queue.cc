#include "serving-runtime/core/batch_queue.h"

namespace tidegate::serving {

absl::Status BatchQueue::submit(const std::string& key, BatchRequest& request,
                                absl::FunctionRef<void(BatchRequests)> run) {
  std::unique_lock lock(mutex_);
  const auto found = open_.find(key);
  const bool joins = found != open_.end() && found->second->rows + request.rows <= limits_.rows;
  if (!joins && waiting_ >= limits_.waiting) {
    return absl::ResourceExhaustedError("The batch scheduling queue to which this task was submitted is full");
  }
  const std::shared_ptr<Batch> batch = joins ? found->second : open_batch(key);
  batch->requests.push_back(&request);
  batch->rows += request.rows;
  if (batch->rows == limits_.rows) {
    close(key, *batch);
    batch->changed.notify_all();
  }
  if (joins) {
    batch->changed.wait(lock, [&batch] { return batch->done; });
  } else {
    lead(key, lock, batch, run);
  }
  return absl::OkStatus();
}

// The one that was open has no room: its leader need not wait for more.
std::shared_ptr<BatchQueue::Batch> BatchQueue::open_batch(const std::string& key) {
  std::shared_ptr<Batch>& open = open_[key];
  if (open) {
    open->open = false;
    open->changed.notify_all();
  }
  ++waiting_;
  return open = std::make_shared<Batch>();
}

void BatchQueue::close(const std::string& key, Batch& batch) {
  batch.open = false;
  open_.erase(key);
}

void BatchQueue::lead(const std::string& key, std::unique_lock<std::mutex>& lock, const std::shared_ptr<Batch>& batch,
                      absl::FunctionRef<void(BatchRequests)> run) {
  batch->changed.wait_for(lock, absl::ToChronoNanoseconds(limits_.timeout), [&batch] { return !batch->open; });
  ready_.push_back(batch);
  batch->changed.wait(lock, [this, &batch] { return may_run_next(*batch); });
  ready_.pop_front();
  if (batch->open) close(key, *batch);
  --waiting_;
  ++running_;
  wake_next();
  lock.unlock();
  run(batch->requests);
  lock.lock();
  --running_;
  wake_next();
  batch->done = true;
  batch->changed.notify_all();
}

bool BatchQueue::may_run_next(const Batch& batch) const {
  return running_ < limits_.running && ready_.front().get() == &batch;
}

void BatchQueue::wake_next() {
  if (!ready_.empty() && running_ < limits_.running) ready_.front()->changed.notify_all();
}

}  // namespace tidegate::serving
