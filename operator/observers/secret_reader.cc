#include "operator/observers/secret_reader.h"

#include <algorithm>
#include <utility>

namespace tidegate::operator_ {

base::Task<absl::StatusOr<kube::Secret>> SecretReader::read(base::ObjectKey key, absl::Duration max_age,
                                                            base::Scope& scope) {
  while (true) {
    const std::shared_ptr<Entry> entry = entry_of(key);
    if (is_fresh(*entry, max_age)) co_return *entry->secret;
    if (scope.cancelled()) co_return absl::CancelledError("scope ended");
    if (!entry->asking) {
      const absl::Status asked = co_await ask(key, entry, scope);
      if (!asked.ok()) co_return asked;
      co_return *entry->secret;
    }
    base::Promise<bool> over;
    entry->waiting.push_back(over);
    auto registration = scope.on_cancel([over] { over.set(false); });
    co_await over.wait();
    // Whoever asked may have given up; then the next one does.
    if (!entry->error.ok() && !absl::IsCancelled(entry->error)) co_return entry->error;
  }
}

bool SecretReader::is_fresh(const Entry& entry, absl::Duration max_age) const {
  return entry.secret && clock_.uptime() - entry.asked_at < std::min(max_age, kMaxAge);
}

std::shared_ptr<SecretReader::Entry> SecretReader::entry_of(const base::ObjectKey& key) {
  if (auto known = entries_.find(key); known != entries_.end()) return known->second;
  // Those that nobody asks for any more go when another one comes.
  std::erase_if(entries_,
                [this](const auto& entry) { return !entry.second->asking && !is_fresh(*entry.second, kMaxAge); });
  return entries_[key] = std::make_shared<Entry>();
}

base::Task<absl::Status> SecretReader::ask(base::ObjectKey key, std::shared_ptr<Entry> entry, base::Scope& scope) {
  entry->asking = true;
  entry->asked_at = clock_.uptime();
  entry->secret.reset();
  absl::StatusOr<kube::Json> json = co_await client_.get(kube::resources::secrets(), key, scope);
  entry->error = json.status();
  if (json.ok()) {
    absl::StatusOr<kube::Secret> secret = kube::decode_secret(*json);
    entry->error = secret.status();
    if (secret.ok()) entry->secret = *std::move(secret);
  }
  entry->asking = false;
  for (const auto& waiter : std::exchange(entry->waiting, {})) waiter.set(true);
  co_return entry->error;
}

}  // namespace tidegate::operator_
