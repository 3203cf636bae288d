// The simulation itself, and a few dozen of its seeds; `make sim` runs as many as one likes.
#include <gtest/gtest.h>

#include "sim/simulation.h"

namespace tidegate::sim {
namespace {

class Simulation : public testing::Test {
 protected:
  static void SetUpTestSuite() { init_log("none"); }
};

void expect_good(const Outcome& outcome) {
  for (const Violation& violation : outcome.violations) {
    ADD_FAILURE() << "seed " << outcome.seed << ": " << violation.invariant << ": " << violation.what << "\n"
                  << outcome.trace << "repeat it:  make sim SEED=" << outcome.seed;
  }
}

TEST_F(Simulation, ASeedRepeatsItselfExactly) {
  for (const uint64_t seed : {1, 2, 3}) {
    const Outcome first = run_seed(seed);
    const Outcome again = run_seed(seed);
    EXPECT_EQ(first.hash, again.hash) << "seed " << seed;
    EXPECT_GT(first.requests, 0u);
  }
}

TEST_F(Simulation, TheOperatorKeepsItsPromisesInTheFirstSeeds) {
  uint64_t promoted = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Outcome outcome = run_seed(seed);
    expect_good(outcome);
    promoted += outcome.promoted;
  }
  EXPECT_GT(promoted, 20u) << "nothing happens in these seeds";
}

}  // namespace
}  // namespace tidegate::sim
