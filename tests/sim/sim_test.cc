// The simulation itself, and a few dozen of its seeds; `make sim` runs as many as one likes.
#include <gtest/gtest.h>

#include "base/strings.h"
#include "operator/stores.h"
#include "sim/simulation.h"
#include "sim/world.h"

namespace tidegate::sim {
namespace {

class Simulation : public testing::Test {
 protected:
  static void SetUpTestSuite() { init_log("none"); }
};

const base::ObjectKey kDigits{"demo", "digits"};

// A world in which version 1 of demo/digits serves.
std::unique_ptr<World> small_world(const WorldOptions& options = {}) {
  auto world = std::make_unique<World>(1, options);
  for (const char* version : {"1", "2"}) {
    world->kubelet->behaviours[version] = {};
    world->bucket.put_version("digits", version, "e");
  }
  world->users->requests_per_second["demo/digits"] = 100;
  world->apply(
      kDigits,
      {{"model",
        {{"uri", "s3://models/digits"}, {"version", "1"}, {"credentials", {{"secretName", "minio-credentials"}}}}},
       {"replicas", 2},
       {"rollout", {{"steps", {{{"weight", 20}}}}, {"scaleDownDelay", "5s"}}}});
  world->run(absl::Minutes(1));
  return world;
}

std::string story(const World& world) {
  std::string text = world.context.trace.text(40);
  for (const Violation& violation : world.context.trace.violations()) text += violation.what;
  return text;
}

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

// The referee: a gateway that is slow still has the routes of the object that was deleted, and no clusters any more.
TEST_F(Simulation, RoutesOfADeletedNamesakeAreNotHeldAgainstItsSuccessor) {
  const auto world = small_world();
  const kube::Json spec = (*world->api().get(operator_::model_deployments(), kDigits))["spec"];
  world->gateways->pick()->slowness = absl::Seconds(12);
  world->erase(kDigits);
  world->run(absl::Seconds(1));
  world->apply(kDigits, spec);
  world->run(absl::Minutes(2));
  EXPECT_FALSE(world->context.trace.failed()) << story(*world);
}

// The referee: a number that falls is no way back when what had the higher one is gone.
TEST_F(Simulation, AGatewayMayForgetTheVersionOfADeletedObject) {
  const auto world = small_world();
  world->erase(kDigits);
  world->run(absl::Seconds(5));
  for (const auto& replica : world->replicas) world->kill(*replica, absl::Seconds(2));
  world->run(absl::Minutes(1));
  EXPECT_FALSE(world->context.trace.failed()) << story(*world);
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
