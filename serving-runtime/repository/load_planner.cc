#include "serving-runtime/repository/load_planner.h"

#include <algorithm>

namespace tidegate::serving {
bool may_load(const VersionProgress& progress, const LoadRetries& retries, absl::Time now) {
  return progress.failures <= retries.times && progress.retry_at <= now;
}

std::optional<Action> next_action(const std::set<int64_t>& wanted, const std::map<int64_t, VersionProgress>& present,
                                  const LoadRetries& retries, absl::Time now) {
  const auto is_down = [](const VersionProgress& progress) {
    return progress.state == VersionState::kStart || progress.state == VersionState::kEnd;
  };
  for (auto version = wanted.rbegin(); version != wanted.rend(); ++version) {
    auto progress = present.find(*version);
    if (progress == present.end()) return Action{Step::kLoad, *version};
    if (is_down(progress->second) && may_load(progress->second, retries, now)) return Action{Step::kLoad, *version};
  }
  bool serving = wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](int64_t version) {
                   auto progress = present.find(version);
                   return progress != present.end() && progress->second.state == VersionState::kAvailable;
                 });
  // While none of the wanted versions serves, an unwanted one is better than none.
  if (!serving) return std::nullopt;
  for (const auto& [version, progress] : present) {
    if (progress.state == VersionState::kAvailable && !wanted.contains(version)) return Action{Step::kUnload, version};
  }
  return std::nullopt;
}

}  // namespace tidegate::serving
