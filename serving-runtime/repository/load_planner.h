#pragma once
// Which version to load or unload next. Pure: what is wanted and what is there go in, one action comes out; the
// repository carries it out and asks again. Availability comes first: a new version serves before an old one goes.
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "serving-runtime/core/servable_table.h"

namespace tidegate::serving {

struct VersionProgress {
  VersionState state = VersionState::kStart;
  int failures = 0;  // loads that failed
  absl::Time retry_at = absl::InfinitePast();
};

// A load that fails is tried again `times` times, `interval` apart; the defaults are TensorFlow Serving's.
struct LoadRetries {
  int times = 5;
  absl::Duration interval = absl::Seconds(60);
};

// Whether a version that failed, if it did, may be loaded now.
bool may_load(const VersionProgress& progress, const LoadRetries& retries, absl::Time now);

enum class Step { kLoad, kUnload };
struct Action {
  Step step;
  int64_t version;
};

// `present`: every version that was ever wanted, with its progress. Nothing: there is nothing to do now.
std::optional<Action> next_action(const std::set<int64_t>& wanted, const std::map<int64_t, VersionProgress>& present,
                                  const LoadRetries& retries, absl::Time now);

}  // namespace tidegate::serving
