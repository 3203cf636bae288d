#pragma once
// Coroutines of the control logic. A Task runs on the Loop's one thread; between two co_awaits nothing else runs.
//
// g++ 12 miscompiles some coroutine shapes, so (tools/lint-coroutines checks it): co_await stands alone as a whole
// statement or as the sole initialiser of a variable; no capturing lambda is a coroutine; parameters are by value
// unless their owner outlives the task.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/scope.h"

namespace tidegate::base {

template <class T>
using Task = boost::asio::awaitable<T>;

// A result that is set once, from any callback of the loop's thread, and awaited by one coroutine: the bridge from
// callbacks to coroutines. Copies share the state.
template <class T>
class Promise {
 public:
  Promise() : state_(std::make_shared<State>()) {}

  bool is_set() const { return state_->value.has_value(); }
  // The first value wins; later ones are dropped (a request that is cancelled while its answer arrives).
  void set(T value) const {
    if (state_->value) return;
    state_->value.emplace(std::move(value));
    if (auto resume = std::exchange(state_->resume, nullptr)) resume();
  }
  Task<T> wait() const { return wait_on(state_); }

 private:
  struct State {
    std::optional<T> value;
    std::function<void()> resume;
  };

  static Task<T> wait_on(std::shared_ptr<State> state) {
    if (!state->value) co_await suspend(state);
    T value = std::move(*state->value);
    co_return value;
  }

  static Task<void> suspend(std::shared_ptr<State> state) {
    auto executor = co_await boost::asio::this_coro::executor;
    auto initiate = [state, executor](auto handler) {
      // std::function wants a copyable target; the handler is move-only.
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      state->resume = [shared, executor] { boost::asio::post(executor, [shared] { (*shared)(); }); };
    };
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(std::move(initiate),
                                                                                       boost::asio::use_awaitable);
  }

  std::shared_ptr<State> state_;
};

// OK after `duration`, CANCELLED as soon as the scope ends. `clock` and `scope` must outlive the wait.
Task<absl::Status> sleep_for(Clock& clock, absl::Duration duration, Scope& scope);

// Lets a coroutine wait until somebody calls notify(). A notification without a waiter is kept (one of them).
class Signal {
 public:
  void notify();
  // OK when notified, CANCELLED when the scope ends, DEADLINE_EXCEEDED after `timeout`. One waiter at a time.
  Task<absl::Status> wait(Clock& clock, absl::Duration timeout, Scope& scope);

 private:
  bool pending_ = false;
  std::optional<Promise<absl::Status>> waiter_;
};

}  // namespace tidegate::base
