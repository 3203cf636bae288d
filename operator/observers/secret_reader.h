#pragma once
// The Secrets with the stores' keys, read once for all objects that name them: a thousand objects with one Secret ask
// the API server for it once a poll and not a thousand times. Used by ModelResolver, on the leader.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "kube/types.h"

namespace tidegate::operator_ {

class SecretReader {
 public:
  // Nothing is remembered for longer, whoever would have it.
  static constexpr absl::Duration kMaxAge = absl::Hours(1);

  // Both must outlive it.
  SecretReader(kube::Client& client, base::Clock& clock) : client_(client), clock_(clock) {}

  // The Secret as it was less than `max_age` ago, or as it is now. Whoever asks at the same time shares one request.
  // Errors, those of Client::get and decode_secret, are not remembered.
  base::Task<absl::StatusOr<kube::Secret>> read(base::ObjectKey key, absl::Duration max_age, base::Scope& scope);
  // What it held did not work: the next one reads it anew.
  void forget(const base::ObjectKey& key) { entries_.erase(key); }
  void forget_all() { entries_.clear(); }

 private:
  // Shared with the requests that fill it: it may be forgotten meanwhile.
  struct Entry {
    std::optional<kube::Secret> secret;
    absl::Duration asked_at;  // uptime
    bool asking = false;
    absl::Status error;  // of the last request
    std::vector<base::Promise<bool>> waiting;
  };
  bool is_fresh(const Entry& entry, absl::Duration max_age) const;
  std::shared_ptr<Entry> entry_of(const base::ObjectKey& key);
  base::Task<absl::Status> ask(base::ObjectKey key, std::shared_ptr<Entry> entry, base::Scope& scope);

  kube::Client& client_;
  base::Clock& clock_;
  std::map<base::ObjectKey, std::shared_ptr<Entry>> entries_;
};

}  // namespace tidegate::operator_
