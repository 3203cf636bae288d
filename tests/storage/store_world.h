#pragma once
// A loop in real time on which a test runs store operations one by one.
#include <absl/time/clock.h>

#include <optional>

#include "base/loop.h"
#include "base/random.h"
#include "net/curl_http_client.h"
#include "storage/s3_object_store.h"

namespace tidegate::storage {

template <class T>
base::Task<void> store_result(base::Task<T> task, std::optional<T>* out) {
  T result = co_await std::move(task);
  *out = std::move(result);
}

struct StoreWorld {
  base::Scope scope;
  base::Loop loop;
  base::SystemClock clock{loop.context()};
  base::SeededRandom random{1};
  net::CurlHttpClient http{loop.context(), clock, {.http2 = false}};

  template <class T>
  T run(base::Task<T> task) {
    std::optional<T> result;
    loop.spawn(store_result(std::move(task), &result));
    const absl::Time give_up = absl::Now() + absl::Seconds(60);
    loop.context().restart();
    while (!result && absl::Now() < give_up) loop.context().run_one_for(std::chrono::milliseconds(50));
    if (!result) return absl::InternalError("the operation never ended");
    return *std::move(result);
  }

  std::unique_ptr<ObjectStore> store(S3Options options, std::string bucket) {
    return make_s3_object_store(std::move(options), std::move(bucket), http, clock, random).value();
  }
};

}  // namespace tidegate::storage
