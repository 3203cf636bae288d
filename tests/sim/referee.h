#pragma once
// Holds the operator to what is true. It sees every change of the API the moment it is made and who made it, what each
// gateway has applied and how users' requests went; it never asks the operator. docs/simulation.md numbers the
// invariants.
#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/types.h"
#include "kube/json.h"
#include "sim/api_line.h"
#include "sim/context.h"
#include "sim/gateways.h"
#include "sim/kubelet.h"
#include "sim/users.h"

namespace tidegate::sim {

struct RefereeOptions {
  // How far the wall clocks of two replicas may be apart.
  absl::Duration largest_skew;
  // Nothing breaks in this run, so a version that is no worse is taken back by its measurements at most.
  bool calm = false;
};

class Referee {
 public:
  Referee(Context& context, const Gateways& gateways, const Kubelet& kubelet, RefereeOptions options)
      : context_(context), gateways_(gateways), kubelet_(kubelet), options_(options) {}

  // Changes of the API. `by` is null for everybody but the operator.
  void model_changed(const kube::Json& object, const Exchange* by);
  void model_deleted(const kube::Json& last);
  void deployment_changed(const kube::Json& object, const Exchange* by);
  void deployment_deleted(const kube::Json& last, const Exchange* by);
  void lease_changed(const kube::Json& object);
  void evidence_changed(const std::string& name, const Exchange* by);

  void pods_changed(const base::ObjectKey& deployment);
  // Before and after any gateway applies something, starts or ends.
  void gateways_about_to_change();
  void gateways_changed();
  void requests_went(const Envoy& envoy, const std::string& cluster, RequestFate fate, uint64_t count);

  LeaseHolder lease_holder() const { return {holder_, holds_since_, epoch_}; }
  uint64_t status_writes() const { return status_writes_; }
  // Those that changed an object's shares.
  uint64_t shares_written() const { return shares_written_; }
  uint64_t false_rollbacks() const { return false_rollbacks_; }
  uint64_t promoted() const { return promoted_; }
  uint64_t rolled_back() const { return rolled_back_; }
  // By "<namespace>/<name>"; null: there is no such object.
  const api::ModelDeployment* object(const std::string& name) const;
  // Share of 10,000 that some running gateway sends to the revision.
  bool some_gateway_sends_to(const std::string& cluster) const;

 private:
  // A gateway's process has applied the present shares of an object.
  struct Applied {
    absl::Time at;
    std::map<std::string, uint64_t> requests;  // of the object, by revision, until then
  };
  struct Truth {
    api::ModelDeployment object;
    uint64_t made_version = 0;                // resourceVersion at which it was made
    std::optional<absl::Time> leaving_since;  // its deletion was asked for
    std::optional<absl::Time> shares_since;   // it has had shares
    absl::Time shares_written;
    uint64_t shares_version = 0;
    std::map<std::pair<std::string, int>, Applied> applied;  // by gateway and its life
    std::optional<Applied> base_line;                        // where the present measurements may begin
    std::map<std::string, uint64_t> requests;                // by revision, ever
    std::set<std::string> given;                             // revisions that ever had weight
    std::set<std::string> taken_back;                        // quarantined, whatever status says
    absl::Duration ran;                                      // of the present rollout, pauses left out
    absl::Time ran_until;
  };
  struct WrittenShares {
    absl::Time at;
    std::vector<api::TrafficShare> shares;
  };
  struct GatewayRoute {
    AppliedRoute applied;
    std::string replica;  // that sent it
    size_t reached = 0;   // the oldest of the object's written shares that this can be
  };
  struct GatewayLife {
    absl::Time configured_since;
    uint64_t routes_version = 0;
    std::map<std::string, GatewayRoute> routes;  // by object
  };
  struct Deployment {
    bool exists = false;
    std::string owner;    // uid
    std::string version;  // of the model, and what its files were
    std::string digest;
    int replicas = 0;
    bool unwanted = false;  // scaled to nothing while the object wanted no replicas
  };
  using Serving = std::deque<std::pair<absl::Time, int>>;  // since when how many

  void violate(const std::string& invariant, const std::string& what) {
    context_.trace.violate(context_.now(), invariant, what);
  }
  void check_child(const Exchange& by, const std::string& revision, const Deployment& known, bool is_new);
  void check_writer(const Exchange& by, const std::string& what);
  void check_available(const api::ModelDeployment& after, const Exchange& by);
  void check_shares(const Truth& before, const api::ModelDeployment& after, const Exchange* by);
  void check_given(const Truth& before, const api::ModelDeployment& after, const std::string& revision, int weight,
                   const Exchange& by);
  void check_verified(Truth& truth, const api::ModelDeployment& after, const Exchange& by);
  void check_numbers(const Truth& truth, const api::ModelDeployment& after);
  void check_endings(Truth& truth, const api::ModelDeployment& after);
  void check_ending(Truth& truth, const api::HistoryEntry& entry);
  void check_status(Truth& truth, const api::ModelDeployment& after, const Exchange& by);
  void check_routes(const Envoy& envoy, GatewayLife& life);
  void check_route(const Envoy& envoy, const std::string& object, GatewayRoute& before);
  void check_no_route(const Envoy& envoy, const Truth& truth, uint64_t count);
  void check_unanswered(const Envoy& envoy, const std::string& cluster, RequestFate fate, uint64_t count);
  void check_scaled_to_nothing(const std::string& object, const std::string& revision, const Exchange& by);
  void tell(const Truth& before, const api::ModelDeployment& after, const Exchange* by);
  void note_clock(Truth& truth);
  const Applied* verified(const Truth& truth, absl::Time gateways_seen, std::string* missing) const;
  int most_serving(const std::string& revision, absl::Time since) const;
  int least_serving(const std::string& revision, absl::Time since) const;

  Context& context_;
  const Gateways& gateways_;
  const Kubelet& kubelet_;
  const RefereeOptions options_;
  std::map<std::string, Truth> truths_;
  std::map<std::string, Deployment> deployments_;      // by "<namespace>/<name>"
  std::map<std::string, Serving> serving_;             // by "<namespace>/<revision>"
  std::map<std::string, absl::Time> last_could_send_;  // by cluster
  // Every shares that an object of this name had, oldest first; none in the beginning and when it was deleted.
  std::map<std::string, std::vector<WrittenShares>> written_shares_;
  std::map<std::pair<std::string, int>, GatewayLife> gateway_lives_;  // by gateway and its life
  std::string holder_;
  absl::Time holds_since_;
  int64_t epoch_ = 0;  // of the holder
  uint64_t status_writes_ = 0;
  uint64_t shares_written_ = 0;
  uint64_t false_rollbacks_ = 0;
  uint64_t promoted_ = 0;
  uint64_t rolled_back_ = 0;
};

}  // namespace tidegate::sim
