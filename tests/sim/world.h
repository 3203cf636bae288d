#pragma once
// The whole simulated world: an API server, what runs on the cluster, users, and the operator's replicas, moved from
// one event to the next on virtual time. Nothing here waits for real time and nothing runs on another thread.
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "kube/fake_api_server.h"
#include "sim/api_line.h"
#include "sim/context.h"
#include "sim/gateways.h"
#include "sim/kubelet.h"
#include "sim/outside.h"
#include "sim/referee.h"
#include "sim/replica.h"
#include "sim/sim_clock.h"
#include "sim/users.h"

namespace tidegate::sim {

struct WorldOptions {
  int replicas = 2;
  int gateways = 2;
  absl::Duration largest_skew;  // of wall clocks among the replicas
  bool watch_list = true;       // whether the API server knows it
  bool calm = false;            // nothing will break
};

class World {
 public:
  World(uint64_t seed, const WorldOptions& options);
  ~World();

  // Until `duration` has passed or an invariant is violated.
  void run(absl::Duration duration);

  // What a person does.
  void apply(const base::ObjectKey& object, const kube::Json& spec);
  void annotate(const base::ObjectKey& object, const std::string& name, const std::string& value);
  void erase(const base::ObjectKey& object);
  // The same while a finalizer of somebody else holds it: it stays, marked, until it is erased.
  void mark_deleted(const base::ObjectKey& object);

  // The replica's process ends, and another starts after `down`.
  void kill(Replica& replica, absl::Duration down);
  void terminate(Replica& replica, absl::Duration down);
  void stop(Replica& replica, absl::Duration duration);
  Replica& pick_replica();
  Replica* leader();

  Context context;
  kube::FakeApiServer& api() { return *api_; }
  // Share of requests that the API server answers with an error, and until when.
  double api_errors = 0;
  // Share of the operator's writes of a status before which somebody sets a label on that object.
  double meddling = 0;
  // The next of them, of this object.
  void meddle_once(const base::ObjectKey& object) { meddle_once_ = object; }
  std::unique_ptr<Kubelet> kubelet;
  std::unique_ptr<Gateways> gateways;
  std::unique_ptr<Users> users;
  std::unique_ptr<Referee> referee;
  Bucket bucket{context};
  std::vector<std::unique_ptr<Replica>> replicas;

 private:
  void make_cluster();
  void make_replicas(const WorldOptions& options);
  void meddle(const Exchange& write);
  uint64_t cached_version();
  void note_version();
  void settle();
  void stands_still();
  void step(absl::Time until);
  void watch(const std::string& path, std::function<void(const std::string& type, const kube::Json&)> on_change);
  void watch_all();
  std::optional<kube::FakeApiServer::Answer> intercept(const net::HttpRequest& request);
  OutsideAnswer outside(const net::HttpRequest& request);
  SimXdsServer* find_xds();
  void send_bookmarks();

  base::Loop loop_;  // the API server's
  SimClock clock_{Context::start()};
  std::unique_ptr<kube::FakeApiServer> api_;
  Exchanges exchanges_;
  std::shared_ptr<Exchange> executing_;  // whose write it is that changes something now
  std::optional<base::ObjectKey> meddle_once_;
  int labels_ = 0;
  std::map<absl::Time, uint64_t> versions_;  // of the API server, second by second
  base::Scope watches_;
};

}  // namespace tidegate::sim
