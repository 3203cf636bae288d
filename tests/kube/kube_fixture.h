#pragma once
// A loop, a clock that moves by hand, an API server in memory and a client on it.
#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/task.h"
#include "kube/client.h"
#include "kube/fake_api_server.h"

namespace tidegate::kube {

template <class T>
base::Task<void> keep_result(base::Task<T> task, std::optional<T>* result) {
  T value = co_await std::move(task);
  result->emplace(std::move(value));
}

class KubeTest : public ::testing::Test {
 protected:
  // Runs the task to its end; time stands still meanwhile.
  template <class T>
  T await(base::Task<T> task) {
    std::optional<T> result;
    loop_.spawn(keep_result(std::move(task), &result));
    settle();
    EXPECT_TRUE(result.has_value()) << "the task waits for something that does not come";
    return *std::move(result);
  }

  void settle() {
    while (loop_.run_ready() > 0) {
    }
  }

  // In steps, so that what a timer starts is done before the next one fires.
  void pass(absl::Duration duration) {
    const absl::Time end = clock_.now() + duration;
    settle();
    while (clock_.next_due() <= end) {
      clock_.advance(clock_.next_due() - clock_.now());
      settle();
    }
    clock_.advance(end - clock_.now());
    settle();
  }

  static ClientConfig config() {
    ClientConfig config;
    config.server = "https://api.test:6443";
    return config;
  }

  base::Loop loop_;
  base::ManualClock clock_;
  base::SeededRandom random_{1};
  FakeApiServer server_{clock_};
  ClientMetrics metrics_;
  Client client_{server_, config(), &metrics_};
  base::Scope scope_;
};

// A minimal object of any kind.
inline Json make_object(const std::string& ns, const std::string& name, Json spec = Json::object()) {
  Json object;
  object["metadata"]["name"] = name;
  if (!ns.empty()) object["metadata"]["namespace"] = ns;
  object["spec"] = std::move(spec);
  return object;
}

}  // namespace tidegate::kube
