#include "base/scope.h"

#include <utility>

namespace tidegate::base {

Scope::Registration& Scope::Registration::operator=(Registration&& other) noexcept {
  if (this != &other) {
    release();
    scope_ = std::exchange(other.scope_, nullptr);
    id_ = other.id_;
  }
  return *this;
}

void Scope::Registration::release() {
  if (Scope* scope = std::exchange(scope_, nullptr)) scope->functions_.erase(id_);
}

Scope::Scope(Scope& parent) : parent_registration_(parent.on_cancel([this] { cancel(); })) {}

void Scope::cancel() {
  if (cancelled_) return;
  cancelled_ = true;
  // A function may release other registrations, so take one at a time.
  while (!functions_.empty()) {
    auto first = functions_.begin();
    auto function = std::move(first->second);
    functions_.erase(first);
    function();
  }
}

Scope::Registration Scope::on_cancel(std::function<void()> function) {
  if (cancelled_) {
    function();
    return {};
  }
  const uint64_t id = next_id_++;
  functions_.emplace(id, std::move(function));
  return Registration(this, id);
}

}  // namespace tidegate::base
