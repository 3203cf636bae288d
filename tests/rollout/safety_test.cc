// The safety rules under everything that can go wrong: seeded runs in which pods come and go, proxies are late,
// gateways are replaced, people change the spec and give commands, the operator dies between two writes. A failure
// names its seed; the same seed gives the same run.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "rollout/stage.h"
#include "rollout/world.h"

namespace tidegate::rollout {
namespace {

constexpr int kSeeds = 400;
constexpr int kSteps = 250;

int share_in(const std::vector<api::TrafficShare>& shares, const std::string& revision) {
  for (const api::TrafficShare& share : shares) {
    if (share.revision == revision) return share.weight;
  }
  return 0;
}

bool is_quarantined(const api::ModelDeploymentStatus& status, const std::string& revision) {
  return std::any_of(status.quarantined.begin(), status.quarantined.end(),
                     [&](const auto& entry) { return entry.revision == revision; });
}

// What everybody may do to a rollout, at random.
class Adversary {
 public:
  explicit Adversary(World& world) : world_(world) {}

  void act() {
    switch (draw(16)) {
      case 0:
        return change_version();
      case 1:
        return give_command();
      case 2:
        return change_spec();
      case 3:
        return lose_pods();
      case 4:
        world_.pods_start = chance(.6);
        return;
      case 5:
        world_.capacity = chance(.3) ? draw(9) : 1000;
        return;
      case 6:
        return trouble_a_proxy();
      case 7:
        return replace_a_proxy();
      case 8:
        world_.behaviour[version()] = behaviour();
        return;
      case 9:
        return restart();
      case 10:
        return fail_metrics();
      case 11:
        world_.resolved = chance(.8);
        return;
      default:
        return;
    }
  }

  // The last fault is over: everybody does what is best.
  void relent() {
    world_.pods_start = true;
    world_.capacity = 1000;
    world_.resolved = true;
    world_.metrics_fail = false;
    world_.requests_per_second = 200;
    for (auto& [name, proxy] : world_.proxies) proxy.stuck = false;
    for (auto& [version, behaviour] : world_.behaviour) behaviour = {};
    world_.edit([](api::ModelDeploymentSpec& spec) {
      spec.paused = false;
      spec.replicas = 3;
      spec.accelerator = {};
      spec.rollout = {};
    });
    if (world_.status().canary) world_.annotate("promote", world_.status().canary->revision);
  }

  int draw(int n) { return static_cast<int>(world_.random() % static_cast<uint64_t>(n)); }
  bool chance(double p) { return std::uniform_real_distribution<double>(0, 1)(world_.random) < p; }

 private:
  std::string version() { return std::to_string(1 + draw(4)); }

  Behaviour behaviour() {
    Behaviour made{.error_rate = chance(.3) ? .3 : .001, .latency_ms = chance(.2) ? 60. : 10.};
    if (chance(.2)) made.failure = chance(.5) ? PodFailureKind::kModelLoadFailed : PodFailureKind::kCrashLoop;
    return made;
  }

  void change_version() { world_.want(version()); }

  void give_command() {
    const char* const commands[] = {"promote", "abort", "retry", "resume"};
    const std::string command = commands[draw(4)];
    const auto& canary = world_.status().canary;
    const std::string revision = canary && chance(.7) ? canary->revision : World::revision_of(version());
    const int step = canary ? canary->step.value_or(0) : 0;
    world_.annotate(command, command == "resume" ? std::to_string(chance(.7) ? step : draw(4)) : revision);
  }

  void change_spec() {
    world_.edit([&](api::ModelDeploymentSpec& spec) {
      switch (draw(9)) {
        case 0:
          spec.replicas = draw(12);
          break;
        case 1:
          spec.paused = chance(.3);
          break;
        case 2:
          spec.rollout.on_failure = chance(.7) ? api::OnFailure::kRollback : api::OnFailure::kPause;
          break;
        case 3:
          spec.rollout.steps = steps();
          break;
        case 4:
          spec.rollout.analysis.on_inconclusive = static_cast<api::OnInconclusive>(draw(3));
          break;
        case 5:
          spec.rollout.analysis.max_duration = absl::Minutes(1 + draw(30));
          break;
        case 6:
          spec.rollout.progress_deadline = absl::Minutes(1 + draw(10));
          break;
        case 7:
          spec.rollout.scale_down_delay = absl::Seconds(draw(120));
          break;
        case 8:
          spec.rollout.history_limit = 1 + draw(4);
          break;
      }
    });
  }

  std::vector<api::RolloutStep> steps() {
    std::vector<api::RolloutStep> made;
    for (int weight = 1 + draw(30); weight < 100; weight += 1 + draw(50)) {
      api::RolloutStep step;
      step.weight = weight;
      if (chance(.2)) step.hold = absl::Seconds(draw(300));
      if (chance(.1)) step.pause = api::Pause{};
      if (chance(.15)) step.replicas = 1 + draw(5);
      made.push_back(step);
    }
    return chance(.1) ? std::vector<api::RolloutStep>{} : made;
  }

  void lose_pods() {
    for (auto& [revision, pod] : world_.pods) {
      if (chance(.5)) pod.available = pod.available > 0 ? draw(pod.available + 1) : 0;
      if (chance(.1)) pod.available = 0;
    }
  }

  void trouble_a_proxy() {
    for (auto& [name, proxy] : world_.proxies) proxy.stuck = chance(.3);
  }

  void replace_a_proxy() {
    if (!world_.proxies.empty() && chance(.5)) {
      world_.proxies.erase(std::next(world_.proxies.begin(), draw(static_cast<int>(world_.proxies.size()))));
    }
    if (world_.proxies.size() >= 3) return;
    world_.proxies["gateway-" + std::to_string(world_.random() % 1000)].stuck = chance(.3);
  }

  void restart() {
    world_.restart_operator();
    if (chance(.5)) ++world_.leader_epoch;
  }

  void fail_metrics() {
    world_.metrics_fail = chance(.4);
    world_.metrics_failed_since = world_.now;
  }

  World& world_;
};

// Checks each plan before it is carried out.
class Safety {
 public:
  explicit Safety(World& world) : world_(world) {}

  // Since when no proxy sends to a revision; call whenever a proxy may have changed.
  void watch_proxies() {
    for (const auto& [revision, pod] : world_.pods) {
      if (proxies_send(revision)) {
        quiet_since_.erase(revision);
      } else {
        quiet_since_.try_emplace(revision, world_.now);
      }
    }
  }

  void check(const Observed& before, const Plan& made) {
    rule1(before, made);
    rule2(before, made);
    rule3(before, made);
    rule4(before, made);
    rule5(before, made);
    rule6(made);
    rule7(before);
    rule8(before, made);
  }

 private:
  bool proxies_send(const std::string& revision) const {
    return std::any_of(world_.proxies.begin(), world_.proxies.end(),
                       [&](const auto& proxy) { return share_in(proxy.second.shares, revision) > 0; });
  }

  int available(const std::string& revision) const {
    const auto pod = world_.pods.find(revision);
    return pod == world_.pods.end() ? 0 : pod->second.available;
  }

  void rule1(const Observed& before, const Plan& made) {
    int sum = 0;
    for (const api::TrafficShare& share : made.status.traffic) {
      EXPECT_GE(share.weight, 0);
      EXPECT_LE(share.weight, 100);
      sum += share.weight;
    }
    if (!made.status.traffic.empty()) {
      EXPECT_EQ(sum, 100);
    }
    if (!before.status.traffic.empty()) {
      EXPECT_FALSE(made.status.traffic.empty());
    }
  }

  void rule2(const Observed& before, const Plan& made) {
    bool anyone = false;
    for (const auto& [revision, pod] : world_.pods) {
      anyone = anyone || (pod.available > 0 && !is_quarantined(made.status, revision));
    }
    bool all_have_roles = true;
    for (const api::TrafficShare& share : made.status.traffic) {
      if (share.weight > 0 && anyone) {
        EXPECT_GT(available(share.revision), 0) << "rule 2: " << share.revision;
      }
    }
    for (const api::TrafficShare& share : before.status.traffic) {
      const bool stable = made.status.stable && made.status.stable->revision == share.revision;
      const bool canary = made.status.canary && made.status.canary->revision == share.revision;
      all_have_roles = all_have_roles && (stable || canary);
    }
    if (!anyone && all_have_roles && !before.status.traffic.empty()) {
      EXPECT_EQ(made.status.traffic, before.status.traffic) << "rule 2: nothing is available, weights stay";
    }
  }

  void rule3(const Observed& before, const Plan& made) {
    const auto& canary = made.status.canary;
    if (!canary || !made.status.stable || available(made.status.stable->revision) == 0) return;
    const int weight = share_in(made.status.traffic, canary->revision);
    if (weight == 0) return;
    bool step_says_so = false;
    for (const api::RolloutStep& step : before.spec.rollout.steps) {
      step_says_so =
          step_says_so || (step.weight == weight && step.replicas && available(canary->revision) >= *step.replicas);
    }
    EXPECT_TRUE(step_says_so || available(canary->revision) >= replicas_to_carry(weight, before.spec.replicas))
        << "rule 3: " << weight << " % on " << available(canary->revision);
  }

  void rule4(const Observed& before, const Plan& made) {
    const absl::Duration drain_time =
        std::max(before.spec.rollout.scale_down_delay, before.spec.traffic.timeout + absl::Seconds(5));
    std::vector<std::string> emptied;
    for (const ScaleWorkload& scale : made.scales) {
      if (scale.replicas == 0 && before.spec.replicas > 0) emptied.push_back(scale.revision);
    }
    for (const DeleteWorkload& removed : made.deletes) emptied.push_back(removed.revision);
    for (const std::string& revision : emptied) {
      EXPECT_FALSE(proxies_send(revision)) << "rule 4: " << revision;
      if (!exposed_.contains(revision) || world_.pods.at(revision).replicas == 0) continue;
      ASSERT_TRUE(quiet_since_.contains(revision));
      EXPECT_GE(world_.now - quiet_since_[revision], drain_time) << "rule 4: " << revision;
    }
    for (const api::TrafficShare& share : made.status.traffic) exposed_.insert(share.revision);
  }

  void rule5(const Observed& before, const Plan& made) {
    const auto& former = before.status.stable;
    const auto& next = made.status.stable;
    if (!former || !next || former->revision == next->revision) return;
    EXPECT_GE(available(next->revision), before.spec.replicas) << "rule 5";
    for (const auto& [name, proxy] : world_.proxies) {
      if (!proxy.shares.empty()) {
        EXPECT_EQ(share_in(proxy.shares, next->revision), 100) << "rule 5: " << name;
      }
    }
  }

  void rule6(const Plan& made) {
    for (const api::QuarantinedRevision& entry : made.status.quarantined) {
      EXPECT_EQ(share_in(made.status.traffic, entry.revision), 0) << "rule 6: " << entry.revision;
    }
  }

  void rule7(const Observed& before) {
    if (before.status.leader_epoch == 0) return;
    Observed late = before;
    late.leader_epoch = before.status.leader_epoch - 1;
    const Plan stopped = plan(late);
    EXPECT_FALSE(stopped.stop.empty());
    EXPECT_FALSE(stopped.status_changed || !stopped.scales.empty() || !stopped.creates.empty() ||
                 !stopped.deletes.empty());
  }

  void rule8(const Observed& before, const Plan& made) {
    const auto& canary = made.status.canary;
    if (canary && canary->measure_from == before.now) {
      for (const auto& [name, proxy] : world_.proxies) {
        EXPECT_EQ(proxy.shares, made.status.traffic) << "rule 8: measured from now on, but " << name << " is behind";
      }
    }
    const auto was_verdict = [](const Event& event) {
      const bool by_checks = event.message.find(" limit ") != std::string::npos;
      return event.reason == "StepPassed" || (event.reason == "RolledBack" && by_checks);
    };
    if (std::none_of(made.events.begin(), made.events.end(), was_verdict)) return;
    if (before.spec.rollout.analysis.on_inconclusive == api::OnInconclusive::kPromote) return;
    ASSERT_TRUE(before.status.canary && before.status.canary->measure_from) << "rule 8";
    if (before.status.canary->failure.empty()) {
      ASSERT_TRUE(before.measurements) << "rule 8";
      EXPECT_GE(before.measurements->from, *before.status.canary->measure_from) << "rule 8";
    }
  }

  World& world_;
  std::map<std::string, absl::Time> quiet_since_;
  std::set<std::string> exposed_;
};

// The operator dies between two writes of the plan.
Plan cut_short(Plan made, Adversary& adversary) {
  switch (adversary.draw(4)) {
    case 0:
      made.deletes.clear();
      [[fallthrough]];
    case 1:
      made.scales.clear();
      [[fallthrough]];
    case 2:
      made.creates.clear();
      break;
    case 3:
      made.status_changed = false;
      made.creates.clear();
      made.scales.clear();
      made.deletes.clear();
      break;
  }
  return made;
}

void one_step(World& world, Adversary& adversary, Safety& safety, bool faults) {
  if (faults) adversary.act();
  world.pass(absl::Seconds(faults ? adversary.draw(40) : 5));
  safety.watch_proxies();
  const Observed before = world.observe();
  const Plan made = plan(before);
  safety.check(before, made);
  const Plan same = plan(before);
  EXPECT_TRUE(same.status == made.status && same.to_string() == made.to_string()) << "rule 9: not the same plan";
  if (faults && adversary.chance(.1)) {
    world.carry_out(cut_short(made, adversary));
    return;
  }
  world.carry_out(made);
  const Plan again = plan(world.observe());
  EXPECT_TRUE(again.is_noop()) << "rule 9: no fixed point\nfirst:\n"
                               << made.to_string() << "again:\n"
                               << again.to_string();
}

class SafetyRules : public testing::TestWithParam<int> {};

TEST_P(SafetyRules, HoldUnderEveryFaultAndEndWellAfterTheLast) {
  constexpr int kSeedsEach = 25;
  for (int i = 0; i < kSeedsEach; ++i) {
    const uint64_t seed = static_cast<uint64_t>(GetParam() * kSeedsEach + i);
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    world.requests_per_second = 20;
    Adversary adversary(world);
    Safety safety(world);
    world.want("1");
    for (int step = 0; step < kSteps; ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      one_step(world, adversary, safety, /*faults=*/true);
      if (HasFailure()) return;
    }
    adversary.relent();
    const auto settled = [&] {
      const api::Phase phase = world.status().phase;
      return (phase == api::Phase::kHealthy || phase == api::Phase::kRolledBack) && world.status().draining.empty();
    };
    for (int step = 0; step < 1000 && !settled(); ++step) {
      one_step(world, adversary, safety, /*faults=*/false);
      if (HasFailure()) return;
    }
    ASSERT_TRUE(settled()) << "not settled: " << world.last_plan.to_string();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SafetyRules, testing::Range(0, kSeeds / 25));

}  // namespace
}  // namespace tidegate::rollout
