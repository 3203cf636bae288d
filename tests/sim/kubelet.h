#pragma once
// Deployment controller, scheduler, kubelets and garbage collector in one: makes the pods of Deployments, starts them
// (at once, slowly, or never), ends them with their grace period, and says so in the API. What really runs is kept
// here; the API hears of it later.
#include <absl/time/time.h>

#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kube/fake_api_server.h"
#include "sim/context.h"

namespace tidegate::sim {

// What a model version does once it runs, and on its way there.
struct Behaviour {
  double errors = 0;  // share of requests that end with 500
  double milliseconds = 10;
  bool fails_to_load = false;  // the runtime says so and ends
  bool crashes = false;        // it ends without a word, again and again
  absl::Duration load = absl::Seconds(2);
};

struct SimPod {
  base::ObjectKey key;
  std::string revision;  // its Deployment
  std::string owner;     // that Deployment's uid
  std::string version;
  std::string ip;
  int node = -1;
  bool alive = false;  // the process runs and answers
  // As the API has it.
  bool ready = false;
  bool containers_ready = false;  // its own kubelet's last word
  bool deleting = false;
  bool failed = false;
  bool unschedulable = false;
  bool scaled_away = false;  // by its controller, and not by a fault
  int restarts = 0;
  std::string last_words;  // of the run before, when it failed
};

class Kubelet {
 public:
  static constexpr int kNodes = 3;

  struct Callbacks {
    // Users' requests are about to meet other pods than until now.
    std::function<void()> before_change;
    // The API shows other pods of a Deployment than until now.
    std::function<void(const base::ObjectKey& deployment)> on_shown;
  };
  Kubelet(Context& context, kube::FakeApiServer& api, Callbacks callbacks);

  std::map<std::string, Behaviour> behaviours;  // by version
  int pods_per_node = 100;

  // The API has a Deployment that it did not have like this before.
  void deployment_changed(const base::ObjectKey& key);
  // An owner is gone: so are, in a while, those that it owned.
  void owner_gone(const std::string& uid);

  // Faults.
  void evict_one();
  void delete_one();  // by force: it is gone at once
  void crash_one();
  void lose_node(absl::Duration duration);

  const SimPod* at_address(const std::string& ip) const;
  // As the API shows it: Ready and not on their way out; if no pod of the object is, those that their own kubelet last
  // called ready (docs/data-plane.md, D15).
  int serving(const std::string& revision) const;
  const std::map<base::ObjectKey, SimPod>& pods() const { return pods_; }

 private:
  void later(const base::ObjectKey& pod, absl::Duration delay, void (Kubelet::*what)(SimPod&));
  void sync(const base::ObjectKey& deployment);
  void make_pod(const base::ObjectKey& deployment, const kube::Json& object);
  void place(SimPod& pod);
  void load(SimPod& pod);
  void become_ready(SimPod& pod);
  void fail_to_start(SimPod& pod);
  void remove(SimPod& pod);
  void end_process(SimPod& pod);
  void disappear(SimPod& pod);
  void notice_loss(SimPod& pod);
  void give_up(SimPod& pod);
  void write(const SimPod& pod);
  void write_status(const base::ObjectKey& deployment);
  void set_alive(SimPod& pod, bool alive);
  SimPod* pick_running();

  Context& context_;
  kube::FakeApiServer& api_;
  Callbacks callbacks_;
  std::map<base::ObjectKey, SimPod> pods_;
  std::map<std::string, base::ObjectKey> by_ip_;
  std::map<base::ObjectKey, bool> sync_due_;
  std::array<bool, kNodes> lost_{};
  int made_ = 0;
};

}  // namespace tidegate::sim
