#pragma once
// One body, delivered to an HTTP endpoint: with a time limit, and again after a while when it may help. Coroutine of a
// loop; http_sink.h runs it.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <string>

#include "base/clock.h"
#include "base/task.h"
#include "net/http_client.h"

namespace tidegate::serving {

struct PostOptions {
  std::string url;  // http:// or https://
  std::string content_type;
  absl::Duration timeout = absl::Seconds(10);  // of one attempt
  int attempts = 6;
  absl::Duration first_backoff = absl::Milliseconds(500);  // before the second attempt; each later one twice as long
  absl::Duration max_backoff = absl::Seconds(8);
};

// OK: answered 2xx. Tried again are failures of the network, timeouts, and answers 408, 429 and 5xx; after the last
// attempt the status is UNAVAILABLE with what happened then. Other answers are FAILED_PRECONDITION at once: they would
// not change. CANCELLED when the scope ends. `client`, `clock` and `scope` must outlive the task.
base::Task<absl::Status> post_until_taken(net::HttpClient& client, base::Clock& clock, PostOptions options,
                                          std::string body, base::Scope& scope);

}  // namespace tidegate::serving
