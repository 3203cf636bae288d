#include "kube/rate_limit.h"

#include <algorithm>
#include <utility>

namespace tidegate::kube {
namespace {

// What is left of a token by rounding is a token.
constexpr double kAlmost = 1e-9;

}  // namespace

void RateLimiter::Bucket::refill(absl::Duration now) {
  tokens = std::min(limit.burst, tokens + absl::ToDoubleSeconds(now - at) * limit.per_second);
  at = now;
}

absl::Duration RateLimiter::Bucket::until(double wanted) const {
  return absl::Seconds(std::max(0.0, std::min(wanted, limit.burst) - tokens) / limit.per_second);
}

RateLimiter::RateLimiter(base::Clock& clock, RateLimits limits)
    : clock_(clock),
      all_{limits.all, limits.all.burst, clock.uptime()},
      background_{limits.background, limits.background.burst, clock.uptime()} {}

bool RateLimiter::take(RequestPriority priority) {
  const bool background = priority == RequestPriority::kBackground;
  all_.refill(clock_.uptime());
  background_.refill(clock_.uptime());
  if (all_.tokens < 1 - kAlmost || (background && background_.tokens < 1 - kAlmost)) return false;
  all_.tokens -= 1;
  if (background) background_.tokens -= 1;
  return true;
}

base::Task<absl::Status> RateLimiter::acquire(RequestPriority priority, base::Scope& scope) {
  if (scope.cancelled()) co_return absl::CancelledError("scope ended");
  const auto& foreground = queues_[static_cast<size_t>(RequestPriority::kForeground)];
  std::list<Waiter>& queue = queues_[static_cast<size_t>(priority)];
  if (queue.empty() && foreground.empty() && take(priority)) co_return absl::OkStatus();
  ++delayed_[static_cast<size_t>(priority)];
  const auto place = queue.insert(queue.end(), Waiter());
  Waiter waiter = *place;
  auto registration = scope.on_cancel([&queue, place, waiter] {
    if (waiter.is_set()) return;
    queue.erase(place);
    waiter.set(absl::CancelledError("scope ended"));
  });
  arm();
  absl::Status turn = co_await waiter.wait();
  co_return turn;
}

void RateLimiter::hand_out() {
  for (const RequestPriority priority : {RequestPriority::kForeground, RequestPriority::kBackground}) {
    std::list<Waiter>& queue = queues_[static_cast<size_t>(priority)];
    while (!queue.empty() && take(priority)) {
      const Waiter next = queue.front();
      queue.pop_front();
      next.set(absl::OkStatus());
    }
    if (!queue.empty() && priority == RequestPriority::kForeground) break;
  }
  arm();
}

// For the next request that may go.
void RateLimiter::arm() {
  timer_.reset();
  const bool foreground = !queues_[static_cast<size_t>(RequestPriority::kForeground)].empty();
  if (!foreground && queues_[static_cast<size_t>(RequestPriority::kBackground)].empty()) return;
  absl::Duration wait = all_.until(1);
  if (!foreground) {
    const double batch = std::clamp(background_.limit.per_second, 1.0, kBackgroundBatch);
    wait = std::max(wait, background_.until(batch));
  }
  timer_ = clock_.after(wait, [this] { hand_out(); });
}

base::Task<absl::StatusOr<net::HttpResponse>> RateLimitedHttpClient::request(net::HttpRequest request,
                                                                             base::Scope& scope) {
  absl::Status turn = co_await limiter_.acquire(priority_, scope);
  if (!turn.ok()) co_return turn;
  absl::StatusOr<net::HttpResponse> answer = co_await behind_.request(std::move(request), scope);
  co_return answer;
}

}  // namespace tidegate::kube
