#pragma once
// One seed from beginning to end: what the runner and the tests call.
#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sim/trace.h"

namespace tidegate::sim {

struct SimulationOptions {
  bool whole_trace = false;  // else its last lines, and only of a run that fails
};

struct Outcome {
  uint64_t seed = 0;
  std::vector<Violation> violations;
  std::string trace;
  uint64_t hash = 0;
  absl::Duration simulated;
  uint64_t promoted = 0;
  uint64_t rolled_back = 0;
  uint64_t false_rollbacks = 0;  // of versions that are no worse: allowed, and rare
  uint64_t requests = 0;
  uint64_t unanswered = 0;

  Outcome& operator+=(const Outcome& other);  // the sums
};

Outcome run_seed(uint64_t seed, const SimulationOptions& options = {});

// The operator's log goes to stderr from `level` on; "none": nowhere. False when there is no such level. Once a
// process.
bool init_log(const std::string& level);

}  // namespace tidegate::sim
