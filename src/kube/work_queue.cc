#include "kube/work_queue.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tidegate::kube {

WorkQueue::WorkQueue(base::Clock& clock, WorkQueueOptions options)
    : clock_(clock),
      options_(options),
      timer_(clock, [this] { release_due(); }),
      retry_tokens_(options.retry_burst),
      retry_tokens_at_(clock.uptime()) {}

void WorkQueue::add(const base::ObjectKey& key) {
  if (!dirty_.emplace(key, clock_.uptime()).second) return;
  ++metrics_.adds;
  if (!processing_.contains(key)) enqueue(key);
}

void WorkQueue::enqueue(const base::ObjectKey& key) {
  queue_.push_back(key);
  hand_out();
}

// One waiter for each key that stands in the queue: a waiter wakes up later, and then takes what is there.
void WorkQueue::hand_out() {
  while (!waiters_.empty() && woken_ < queue_.size()) {
    base::Promise<absl::Status> waiter = std::move(waiters_.front());
    waiters_.pop_front();
    // Cancelled already, and only not run since: it would take the wake-up with it.
    if (waiter.is_set()) continue;
    ++woken_;
    waiter.set(absl::OkStatus());
  }
}

base::Task<absl::StatusOr<base::ObjectKey>> WorkQueue::pop(base::Scope& scope) {
  if (scope.cancelled()) co_return absl::CancelledError("scope ended");
  if (queue_.size() > woken_) {
    base::ObjectKey key = take();
    co_return key;
  }
  base::Promise<absl::Status> ready;
  waiters_.push_back(ready);
  auto registration = scope.on_cancel([ready] { ready.set(absl::CancelledError("scope ended")); });
  absl::Status status = co_await ready.wait();
  if (!status.ok()) {
    std::erase_if(waiters_, [](const base::Promise<absl::Status>& waiter) { return waiter.is_set(); });
    co_return status;
  }
  --woken_;
  if (scope.cancelled()) {
    hand_out();
    co_return absl::CancelledError("scope ended");
  }
  base::ObjectKey key = take();
  co_return key;
}

base::ObjectKey WorkQueue::take() {
  base::ObjectKey key = std::move(queue_.front());
  queue_.pop_front();
  const absl::Duration now = clock_.uptime();
  auto dirty = dirty_.find(key);
  metrics_.queue_latency.observe(now - dirty->second);
  dirty_.erase(dirty);
  processing_.emplace(key, now);
  return key;
}

void WorkQueue::done(const base::ObjectKey& key) {
  auto processed = processing_.find(key);
  if (processed == processing_.end()) return;
  metrics_.work_duration.observe(clock_.uptime() - processed->second);
  processing_.erase(processed);
  if (dirty_.contains(key)) enqueue(key);
}

void WorkQueue::add_after(const base::ObjectKey& key, absl::Duration delay) {
  if (delay <= absl::ZeroDuration()) {
    add(key);
  } else {
    add_at(key, clock_.uptime() + delay);
  }
}

void WorkQueue::add_with_others(const base::ObjectKey& key, absl::Duration delay) {
  if (delay < kLong) return add_after(key, delay);
  add_at(key, absl::Ceil(clock_.uptime() + delay, kTogether));
}

void WorkQueue::add_at(const base::ObjectKey& key, absl::Duration due) {
  auto [known, added] = delayed_.emplace(key, due);
  if (!added) {
    if (known->second <= due) return;
    due_.erase({known->second, key});
    known->second = due;
  }
  due_.emplace(due, key);
  timer_.set(due_.begin()->first);
}

void WorkQueue::release_due() {
  const absl::Duration now = clock_.uptime();
  while (!due_.empty() && due_.begin()->first <= now) {
    const base::ObjectKey key = due_.begin()->second;
    due_.erase(due_.begin());
    delayed_.erase(key);
    add(key);
  }
  if (!due_.empty()) timer_.set(due_.begin()->first);
}

void WorkQueue::add_rate_limited(const base::ObjectKey& key) {
  ++metrics_.retries;
  const int failures = ++failures_[key];
  const double factor = std::ldexp(1.0, std::min(failures - 1, 60));
  const absl::Duration own = std::min(options_.base_delay * factor, options_.max_delay);
  add_after(key, std::max(own, reserve_retry()));
}

// Takes one token, which may be one of the future; returns how long until it is there.
absl::Duration WorkQueue::reserve_retry() {
  const absl::Duration now = clock_.uptime();
  const double grown = absl::ToDoubleSeconds(now - retry_tokens_at_) * options_.retries_per_second;
  retry_tokens_ = std::min(retry_tokens_ + grown, options_.retry_burst) - 1;
  retry_tokens_at_ = now;
  if (retry_tokens_ >= 0) return absl::ZeroDuration();
  return absl::Seconds(-retry_tokens_ / options_.retries_per_second);
}

void WorkQueue::forget(const base::ObjectKey& key) { failures_.erase(key); }

int WorkQueue::failures(const base::ObjectKey& key) const {
  auto found = failures_.find(key);
  return found == failures_.end() ? 0 : found->second;
}

absl::Duration WorkQueue::longest_running() const {
  absl::Duration longest = absl::ZeroDuration();
  for (const auto& [key, since] : processing_) longest = std::max(longest, clock_.uptime() - since);
  return longest;
}

}  // namespace tidegate::kube
