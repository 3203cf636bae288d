#include "serving-runtime/repository/load_planner.h"

#include <algorithm>

namespace tidegate::serving {
namespace {

bool can_load(const VersionProgress& progress, absl::Time now) {
  bool down = progress.state == VersionState::kStart || progress.state == VersionState::kEnd;
  return down && progress.failures < kMaxLoads && progress.retry_at <= now;
}

}  // namespace

std::set<int64_t> newest(const std::set<int64_t>& versions, size_t count) {
  std::set<int64_t> chosen;
  for (auto version = versions.rbegin(); version != versions.rend() && chosen.size() < count; ++version) {
    chosen.insert(*version);
  }
  return chosen;
}

std::optional<Action> next_action(const std::set<int64_t>& wanted, const std::map<int64_t, VersionProgress>& present,
                                  absl::Time now) {
  for (auto version = wanted.rbegin(); version != wanted.rend(); ++version) {
    auto progress = present.find(*version);
    if (progress == present.end() || can_load(progress->second, now)) return Action{Step::kLoad, *version};
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
