#include "serving-runtime/recording/event_post.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace tidegate::serving {
namespace {

enum class Outcome { kTaken, kRefused, kTryAgain };

Outcome outcome_of(int status) {
  if (status >= 200 && status < 300) return Outcome::kTaken;
  return status == 408 || status == 429 || status >= 500 ? Outcome::kTryAgain : Outcome::kRefused;
}

net::HttpRequest request_of(const PostOptions& options, const std::string& body) {
  net::HttpRequest request;
  request.method = "POST";
  request.url = options.url;
  request.headers = {{"content-type", options.content_type}};
  request.body = body;
  request.timeout = options.timeout;
  request.max_body_bytes = 64 << 10;  // nobody reads the answer
  return request;
}

}  // namespace

base::Task<absl::Status> post_until_taken(net::HttpClient& client, base::Clock& clock, PostOptions options,
                                          std::string body, base::Scope& scope) {
  absl::Duration backoff = options.first_backoff;
  absl::Status last;
  for (int attempt = 1; attempt <= options.attempts; ++attempt) {
    if (attempt > 1) {
      absl::Status slept = co_await base::sleep_for(clock, backoff, scope);
      if (!slept.ok()) co_return slept;
      backoff = std::min(backoff * 2, options.max_backoff);
    }
    net::HttpRequest request = request_of(options, body);
    absl::StatusOr<net::HttpResponse> answer = co_await client.request(std::move(request), scope);
    if (!answer.ok()) {
      if (absl::IsCancelled(answer.status()) || absl::IsInvalidArgument(answer.status())) co_return answer.status();
      last = answer.status();
      continue;
    }
    const Outcome outcome = outcome_of(answer->status);
    if (outcome == Outcome::kTaken) co_return absl::OkStatus();
    last = absl::FailedPreconditionError(base::cat(options.url, " answered ", answer->status));
    if (outcome == Outcome::kRefused) co_return last;
  }
  co_return absl::UnavailableError(base::cat("after ", options.attempts, " attempts: ", base::view(last.message())));
}

}  // namespace tidegate::serving
