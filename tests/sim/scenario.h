#pragma once
// What a seed stands for: how large the world is, which objects there are, what people do and what goes wrong, and
// when. After the last of it the world is left alone, and everything has to come to rest.
#include <absl/time/time.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "sim/world.h"

namespace tidegate::sim {

enum class FaultLevel { kNone, kSome, kMany };

struct ScenarioOptions {
  absl::Duration busy = absl::Minutes(30);   // people act and things break
  absl::Duration quiet = absl::Minutes(55);  // nothing does
};

class Scenario {
 public:
  explicit Scenario(uint64_t seed);

  // Runs it all. What was violated is in world().context.trace.
  void run(const ScenarioOptions& options);
  World& world() { return *world_; }

 private:
  struct Object {
    base::ObjectKey key;
    kube::Json spec;
    std::vector<std::string> asked;  // versions, newest last
    std::set<std::string> replaced;  // versions whose files were others for a while
    bool deleted = false;
  };

  void make_versions();
  void make_object(const std::string& name);
  kube::Json first_spec(const std::string& name);
  void apply(Object& object);

  void plan_people(absl::Duration busy);
  void act(Object& object);
  void ask_for_version(Object& object, std::string version);
  void command(Object& object);
  void recreate(Object& object);
  void make_again(size_t at);

  void plan_faults(absl::Duration busy);
  void break_something(absl::Duration left);
  void break_replica(absl::Duration left);
  absl::Duration blind_standbys(absl::Duration left);
  void fail_over_to_the_blind(absl::Duration left);
  void go_over_to_the_blind(absl::Duration left);
  void move_gateways(absl::Time end);
  void when(std::function<bool()> condition, absl::Time deadline, std::function<void()> what);
  void travel_back(Replica& replica, absl::Duration left);
  void cut_off(Replica& replica, absl::Duration left);
  void break_line(absl::Duration left);
  void for_each_line(const std::function<void(ApiLine&)>& what);
  void break_api(absl::Duration left);
  void break_gateway(absl::Duration left);
  void break_pods(absl::Duration left);
  void lose_node_after_promotion(absl::Duration left);
  void break_store(absl::Duration left);
  void mend_all();
  // Undoes something after a while, at the latest when the busy time ends.
  void until(absl::Duration left, absl::Duration low, absl::Duration high, std::function<void()> undo);

  void check_rest();
  void check_promptness();
  void check_object(const Object& object);
  std::string why_not_at_rest(const Object& object, const api::ModelDeployment& model);
  std::string why_not_healthy(const Object& object, const api::ModelDeployment& model);

  FaultLevel level_ = FaultLevel::kNone;
  std::unique_ptr<World> world_;
  std::vector<Object> objects_;
};

}  // namespace tidegate::sim
