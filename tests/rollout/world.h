#pragma once
// A small cluster for the planner's tests: it carries plans out and lets time pass, pods start, proxies take weights
// and users send requests. Everything is on a virtual clock; what should go wrong is set by the test.
#include <absl/time/time.h>

#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "rollout/observed.h"
#include "rollout/plan.h"

namespace tidegate::rollout {

// How a version behaves when it serves.
struct Behaviour {
  double error_rate = 0;
  double latency_ms = 10;                 // of a request; spread by half to twice
  std::optional<PodFailureKind> failure;  // its pods never become available
  std::string failure_reason;
  std::string failure_message;
};

struct WorldPod {
  int replicas = 0;
  int available = 0;
  std::string version;
  absl::Time created;
  std::string uid;
  std::string owner_uid;
  int resource_version = 1;
  std::vector<PodFailure> failures;  // as far as it has come to light
};

struct WorldProxy {
  uint64_t applied = 0;
  std::vector<api::TrafficShare> shares;  // what it really sends
  bool stuck = false;                     // takes nothing new
};

class World {
 public:
  explicit World(uint64_t seed = 1);

  // The object. Changes of the spec go through edit(), which counts the generation.
  api::ModelDeployment object;
  void edit(const std::function<void(api::ModelDeploymentSpec&)>& change);
  void want(const std::string& version);  // and the resolver finds it
  void annotate(const std::string& command, const std::string& argument);
  static std::string revision_of(const std::string& version) { return "digits-0000000" + version; }

  // What the cluster does by itself.
  std::map<std::string, Behaviour> behaviour;  // by version
  double requests_per_second = 200;
  std::optional<ResolveError> resolve_error;
  bool resolved = true;
  bool metrics_fail = false;
  bool window_open = true;  // else this process has not begun to measure
  absl::Time metrics_failed_since;
  int capacity = 1'000'000;  // pods that find a place
  bool pods_start = true;
  int64_t leader_epoch = 1;

  std::map<std::string, WorldPod> pods;  // by revision
  std::map<std::string, WorldProxy> proxies;
  absl::Time now;

  Observed observe() const;
  // One look: observe, plan, carry out. Returns the plan.
  Plan look();
  void carry_out(const Plan& plan);
  // Time passes: pods start, proxies take weights, users send requests.
  void pass(absl::Duration time);
  // pass(5 s) and look() until `done` or `limit` has passed; whether it is done.
  bool run_until(const std::function<bool()>& done, absl::Duration limit = absl::Minutes(30));
  void run_for(absl::Duration time);
  // A new process: what was only in memory is gone; evidence is kept, as the operator keeps it.
  void restart_operator();

  // Reading.
  const api::ModelDeploymentStatus& status() const { return object.status; }
  int weight(const std::string& version) const;
  int available(const std::string& version) const;
  const api::Condition& condition(const std::string& type) const;
  bool saw_event(const std::string& reason) const;
  bool is_healthy_at(const std::string& version) const;

  std::vector<Event> events;
  std::vector<Notification> notifications;
  int status_writes = 0;
  int64_t requests_failed = 0;
  std::map<std::string, int64_t> requests_by_version;
  Plan last_plan;
  std::mt19937_64 random;

 private:
  void start_pods();
  void program_proxies();
  void send_requests(absl::Duration time);
  void send_to(const std::string& revision, int64_t requests, ArmMeasurement* arm);
  std::vector<PodFailure> failures_of(const WorldPod& pod) const;

  uint64_t resource_version_ = 1;
  uint64_t traffic_resource_version_ = 0;
  int next_uid_ = 1;
  std::string wanted_version_;
  std::optional<Measurements> measurements_;
  std::optional<absl::Time> window_key_;
  std::optional<absl::Time> status_written_;
};

}  // namespace tidegate::rollout
