#include "base/task.h"

namespace tidegate::base {

Task<absl::Status> sleep_for(Clock& clock, absl::Duration duration, Scope& scope) {
  Promise<absl::Status> done;
  auto timer = clock.after(duration, [done] { done.set(absl::OkStatus()); });
  auto registration = scope.on_cancel([done] { done.set(absl::CancelledError("scope ended")); });
  absl::Status status = co_await done.wait();
  co_return status;
}

void Signal::notify() {
  // A waiter that timed out and has not run since would drop it.
  if (waiter_ && !waiter_->is_set()) {
    waiter_->set(absl::OkStatus());
    waiter_.reset();
  } else {
    pending_ = true;
  }
}

Task<absl::Status> Signal::wait(Clock& clock, absl::Duration timeout, Scope& scope) {
  if (scope.cancelled()) co_return absl::CancelledError("scope ended");
  if (std::exchange(pending_, false)) co_return absl::OkStatus();
  Promise<absl::Status> done;
  waiter_ = done;
  std::unique_ptr<Clock::Timer> timer;
  if (timeout != absl::InfiniteDuration()) {
    timer = clock.after(timeout, [done] { done.set(absl::DeadlineExceededError("nothing was signalled in time")); });
  }
  auto registration = scope.on_cancel([done] { done.set(absl::CancelledError("scope ended")); });
  absl::Status status = co_await done.wait();
  if (!status.ok()) waiter_.reset();
  co_return status;
}

}  // namespace tidegate::base
