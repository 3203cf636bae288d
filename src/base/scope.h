#pragma once
// A cancellation token. Boost 1.74's coroutines have no cancellation of their own, so every primitive that waits
// (sleep, pop, request) takes a Scope and ends with CANCELLED when the scope is cancelled.
//
// One thread only (the loop's). A child scope is cancelled with its parent, never the other way round.
#include <cstdint>
#include <functional>
#include <map>

namespace tidegate::base {

class Scope {
 public:
  // Runs its function once when the scope is cancelled; destroying it earlier takes the function back.
  class Registration {
   public:
    Registration() = default;
    Registration(Registration&& other) noexcept { *this = std::move(other); }
    Registration& operator=(Registration&& other) noexcept;
    ~Registration() { release(); }
    void release();

   private:
    friend class Scope;
    Registration(Scope* scope, uint64_t id) : scope_(scope), id_(id) {}
    Scope* scope_ = nullptr;
    uint64_t id_ = 0;
  };

  Scope() = default;
  // `parent` must outlive this scope.
  explicit Scope(Scope& parent);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  bool cancelled() const { return cancelled_; }
  // Idempotent. Functions run in the order of their registration, before this returns.
  void cancel();
  // On a scope that is already cancelled `on_cancel` runs at once.
  [[nodiscard]] Registration on_cancel(std::function<void()> function);

 private:
  std::map<uint64_t, std::function<void()>> functions_;
  uint64_t next_id_ = 1;
  bool cancelled_ = false;
  Registration parent_registration_;
};

}  // namespace tidegate::base
