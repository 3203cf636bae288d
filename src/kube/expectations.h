#pragma once
// Read your own writes: after a write, the object is not reconciled again until our store shows it. So nothing is
// decided on a state that we ourselves have already changed, and nothing is ever written back into a store.
//
// In a reconcile: write → wrote(key, store, object, answer's resourceVersion). Before the next: if (!ready(key)) the
// worker calls done(key) and add_after(key, kRecheck); the store's own event usually brings the key back earlier.
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/object_key.h"
#include "kube/store.h"

namespace tidegate::kube {

class Expectations {
 public:
  static constexpr absl::Duration kRecheck = absl::Milliseconds(100);

  // A write that does not show within `give_up` (a watch that hangs, an object outside of the store's selector) is
  // no longer waited for: it is counted and logged. `clock` must outlive this.
  explicit Expectations(base::Clock& clock, absl::Duration give_up = absl::Minutes(5))
      : clock_(clock), give_up_(give_up) {}

  // `store` must outlive the expectation.
  void wrote(const base::ObjectKey& key, const StorePosition& store, const base::ObjectKey& object,
             std::string_view resource_version);
  void deleted(const base::ObjectKey& key, const StorePosition& store, const base::ObjectKey& object,
               std::string_view uid);

  // Whether the stores show every write made for `key`.
  bool ready(const base::ObjectKey& key);
  // The object is gone for good.
  void forget(const base::ObjectKey& key) { pending_.erase(key); }
  size_t pending() const { return pending_.size(); }
  uint64_t given_up() const { return given_up_; }

 private:
  struct Expected {
    const StorePosition* store;
    base::ObjectKey object;
    uint64_t resource_version = 0;  // 0: a deletion, of `uid`
    std::string uid;
    absl::Duration since;  // uptime
  };
  bool is_met(const Expected& expected) const;
  bool is_overdue(const base::ObjectKey& key, const Expected& expected);

  base::Clock& clock_;
  absl::Duration give_up_;
  std::map<base::ObjectKey, std::vector<Expected>> pending_;
  uint64_t given_up_ = 0;
};

}  // namespace tidegate::kube
