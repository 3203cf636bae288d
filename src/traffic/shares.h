// How the requests of one ModelDeployment are really shared out: the asked weights, less those of revisions that have
// no endpoint. Pure arithmetic; used by routes.cc.
#pragma once

#include <cstdint>
#include <vector>

namespace tidegate::traffic {

inline constexpr uint32_t kTotalShare = 10'000;

struct Arm {
  int weight = 0;  // per cent, 0–100
  bool has_endpoints = false;
};

// One share for each arm; they sum to kTotalShare. The share of an arm without endpoints goes to the arms that have
// both a weight and endpoints, in proportion to their weights (largest remainders, ties to the earlier arm). If there
// is no such arm, every arm keeps its own. Needs weights that sum to 100; empty if they are all 0.
std::vector<uint32_t> effective_shares(const std::vector<Arm>& arms);

}  // namespace tidegate::traffic
