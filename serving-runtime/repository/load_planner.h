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

// Loads of one version that may fail before it is given up, and the pause between them: TensorFlow Serving's defaults.
inline constexpr int kMaxLoads = 6;
inline constexpr absl::Duration kLoadRetryInterval = absl::Seconds(60);

// The newest `count` of the versions there are.
std::set<int64_t> newest(const std::set<int64_t>& versions, size_t count);

enum class Step { kLoad, kUnload };
struct Action {
  Step step;
  int64_t version;
};

// `present`: every version that was ever wanted, with its progress. Nothing: there is nothing to do now.
std::optional<Action> next_action(const std::set<int64_t>& wanted, const std::map<int64_t, VersionProgress>& present,
                                  absl::Time now);

}  // namespace tidegate::serving
