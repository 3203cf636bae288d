#pragma once
// At which resourceVersion the present shares of each ModelDeployment were written, as far as this process saw. A proxy
// that has applied that version, or a later one, has the shares. Pure memory; fed by the store's events.
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/types.h"
#include "base/object_key.h"

namespace tidegate::operator_ {

class TrafficVersions {
 public:
  // Whether there may have been states of the object between the last one seen and this one.
  enum class Continuity { kUnbroken, kMayHaveMissed };
  // The object as it is now, at `uptime`. The first sight of an object counts as the write of its shares, and so does
  // the first after a gap, even of the same shares (there may have been others meanwhile): it is at least as late as
  // the real one.
  void saw(const base::ObjectKey& key, const api::ModelDeployment& object, Continuity continuity,
           absl::Duration uptime);
  void forget(const base::ObjectKey& key);

  // 0 while the object has no shares.
  uint64_t of(const base::ObjectKey& key) const;
  // The highest that any object has had.
  uint64_t highest() const { return highest_; }

  // Objects that wait for gateways to apply what was written after `before` and not after `now`: their shares, or those
  // that a drain rests on.
  std::vector<base::ObjectKey> waiting(uint64_t before, uint64_t now) const;

  // Every gateway has applied `applied` by now: how long each of the writes took that this confirms for the first time.
  // Writes that this process did not see happen are not among them.
  std::vector<absl::Duration> confirmed(uint64_t applied, absl::Duration uptime);

 private:
  struct Written {
    std::string uid;
    std::vector<api::TrafficShare> traffic;
    uint64_t resource_version = 0;
    std::vector<uint64_t> awaited;  // resourceVersions
  };
  using Wait = std::pair<uint64_t, base::ObjectKey>;  // for which version, and who

  void await(const base::ObjectKey& key, Written& written, std::vector<uint64_t> versions);

  std::map<base::ObjectKey, Written> written_;
  std::set<Wait> waits_;
  // The writes of shares that this process saw and that are not everywhere yet; since when (uptime).
  std::map<Wait, absl::Duration> unconfirmed_;
  uint64_t highest_ = 0;
};

}  // namespace tidegate::operator_
