#include "traffic/shares.h"

#include <algorithm>
#include <numeric>

namespace tidegate::traffic {
namespace {

bool serves(const Arm& arm) { return arm.weight > 0 && arm.has_endpoints; }

// Hands what integer division left over to the arms with the largest remainders.
void hand_out_rest(std::vector<uint32_t>& shares, const std::vector<uint32_t>& remainders) {
  std::vector<size_t> order(shares.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  uint32_t rest = kTotalShare - std::accumulate(shares.begin(), shares.end(), 0u);
  for (size_t i = 0; rest > 0; ++i, --rest) ++shares[order[i]];
}

}  // namespace

std::vector<uint32_t> effective_shares(const std::vector<Arm>& arms) {
  const bool any_serves = std::any_of(arms.begin(), arms.end(), serves);
  uint32_t total = 0;
  for (const Arm& arm : arms) {
    if (!any_serves || serves(arm)) total += static_cast<uint32_t>(arm.weight);
  }
  if (total == 0) return {};
  std::vector<uint32_t> shares;
  std::vector<uint32_t> remainders;
  for (const Arm& arm : arms) {
    const uint32_t weight = !any_serves || serves(arm) ? static_cast<uint32_t>(arm.weight) : 0;
    shares.push_back(weight * kTotalShare / total);
    remainders.push_back(weight * kTotalShare % total);
  }
  hand_out_rest(shares, remainders);
  return shares;
}

}  // namespace tidegate::traffic
