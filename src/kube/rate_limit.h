#pragma once
// How fast one process may ask the API server. Two buckets: one for everything, and a tighter one that background
// requests (events) must pass as well; what waits in the foreground goes first. So a flood of events never holds up a
// status write. The lease does not pass through here at all: its client stands on the plain HttpClient.
//
//   lease ──────────────────────────────────────► HttpClient
//   stores, status, apply ──► all ──────────────► HttpClient
//   events ──► background ──► all ──────────────► HttpClient
//
// Background requests that have to wait are let through several at a time: a process that wakes up for each of them
// pays several times the price of doing them in a row.
//
// Loop thread only.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <list>
#include <memory>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "net/http_client.h"

namespace tidegate::kube {

struct RateLimit {
  double per_second;  // > 0
  double burst;       // >= 1
};

struct RateLimits {
  RateLimit all{200, 400};
  RateLimit background{25, 100};
};

// Background requests wait until so many may go, or as many as grow in a second if that is less, but never less than
// one.
inline constexpr double kBackgroundBatch = 10;

enum class RequestPriority { kForeground, kBackground };

class RateLimiter {
 public:
  // `clock` must outlive this, and this must outlive all waiting requests.
  RateLimiter(base::Clock& clock, RateLimits limits);

  // OK when a request of this priority may be sent; CANCELLED when the scope ends first. First come, first served
  // within a priority.
  base::Task<absl::Status> acquire(RequestPriority priority, base::Scope& scope);

  // Requests that had to wait.
  uint64_t delayed(RequestPriority priority) const { return delayed_[static_cast<size_t>(priority)]; }
  size_t waiting(RequestPriority priority) const { return queues_[static_cast<size_t>(priority)].size(); }

 private:
  struct Bucket {
    RateLimit limit;
    double tokens;
    absl::Duration at;
    void refill(absl::Duration now);
    // Until there are so many tokens, at most the bucket's burst.
    absl::Duration until(double wanted) const;
  };
  using Waiter = base::Promise<absl::Status>;

  bool take(RequestPriority priority);
  void hand_out();
  void arm();

  base::Clock& clock_;
  Bucket all_;
  Bucket background_;
  std::list<Waiter> queues_[2];
  uint64_t delayed_[2] = {0, 0};
  std::unique_ptr<base::Clock::Timer> timer_;
};

// Every request of it waits its turn.
class RateLimitedHttpClient : public net::HttpClient {
 public:
  RateLimitedHttpClient(net::HttpClient& behind, RateLimiter& limiter, RequestPriority priority)
      : behind_(behind), limiter_(limiter), priority_(priority) {}
  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope& scope) override;

 private:
  net::HttpClient& behind_;
  RateLimiter& limiter_;
  RequestPriority priority_;
};

}  // namespace tidegate::kube
