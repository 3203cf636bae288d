#pragma once
// A loop in real time that a test turns until what it waits for has happened, and requests run on it.
#include <absl/time/clock.h>

#include <functional>
#include <optional>

#include "base/loop.h"
#include "net/http_client.h"

namespace tidegate::net {

using Result = absl::StatusOr<HttpResponse>;

inline base::Task<void> fetch(HttpClient* client, HttpRequest request, base::Scope* scope, std::optional<Result>* out) {
  Result result = co_await client->request(std::move(request), *scope);
  *out = std::move(result);
}

struct ClientWorld {
  base::Scope scope;  // outlives the tasks that the loop still holds at its end
  base::Loop loop;
  base::SystemClock clock{loop.context()};

  // False when `done` did not come true within 20 s.
  bool run_until(const std::function<bool()>& done) {
    const absl::Time give_up = absl::Now() + absl::Seconds(20);
    while (!done() && absl::Now() < give_up) {
      loop.context().restart();  // it stops when nothing of its own is left to do; another thread may post more
      loop.context().run_one_for(std::chrono::milliseconds(50));
    }
    return done();
  }

  Result fetch_and_wait(HttpClient& client, HttpRequest request) {
    std::optional<Result> result;
    loop.spawn(fetch(&client, std::move(request), &scope, &result));
    if (!run_until([&] { return result.has_value(); })) return absl::InternalError("the request never ended");
    return *std::move(result);
  }
};

}  // namespace tidegate::net
