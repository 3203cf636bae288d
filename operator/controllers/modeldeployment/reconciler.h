#pragma once
// The loop of the ModelDeployment controller: a key comes out of the queue, is observed, planned and executed.
//
//   store events, observers ──► queue ──► own writes visible? ──► gather ──► plan ──► evidence ──► execute ──► queue
//
// Runs on the leader only. Every path ends in at most one status write, and none if nothing changed.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/expectations.h"
#include "kube/metrics.h"
#include "kube/work_queue.h"
#include "operator/controllers/modeldeployment/evidence.h"
#include "operator/controllers/modeldeployment/executor.h"
#include "operator/controllers/modeldeployment/gatherer.h"
#include "rollout/plan.h"

namespace tidegate::operator_ {

struct ReconcilerMetrics {
  kube::DurationHistogram duration;
  uint64_t succeeded = 0;
  uint64_t unchanged = 0;  // of those that succeeded: nothing was written
  uint64_t conflicts = 0;
  uint64_t failed = 0;
  std::map<api::Outcome, uint64_t> rollouts;  // that this process brought to an end
};

class Reconciler {
 public:
  // Each waits for the API server most of the time; how often it is asked is the rate limiter's business.
  static constexpr int kWorkers = 8;
  // An object that nothing was heard of is looked at all the same.
  static constexpr absl::Duration kResync = absl::Minutes(15);

  struct Parts {
    GatherSources sources;
    kube::WorkQueue& queue;
    kube::Expectations& expectations;
    MeasurementLedger& ledger;
    EvidenceKeeper& evidence;
    Executor& executor;
    base::Clock& clock;
    std::function<int64_t()> leader_epoch;  // 0: not the leader
    std::function<void()> window_opened;    // wants a base line
    std::string cluster_domain;
  };
  explicit Reconciler(Parts parts) : parts_(std::move(parts)) {}

  // One of the workers. Takes objects until `taking` ends and finishes the one in hand unless `scope` ends, too.
  base::Task<void> work(base::Scope& taking, base::Scope& scope);

  // For the debug page: what is observed and planned at this moment, as text. Empty: there is no such object.
  std::string describe(const base::ObjectKey& key) const;
  const ReconcilerMetrics& metrics() const { return metrics_; }

 private:
  base::Task<absl::Status> reconcile(base::ObjectKey key, base::Scope& scope);
  // Opens or closes the measurement window that the object's status asks for.
  base::Task<absl::Status> follow_window(base::ObjectKey key, std::shared_ptr<const api::ModelDeployment> object,
                                         base::Scope& scope);
  GatherOptions gather_options(const base::ObjectKey& key) const;
  void leave_to_the_leader(const base::ObjectKey& key, int64_t own_epoch, const std::string& why);
  void count_ended_rollouts(const rollout::Observed& observed, const rollout::Plan& plan);
  void settle(const base::ObjectKey& key, const absl::Status& result);
  void look_again(const base::ObjectKey& key, absl::Duration delay);
  void forget(const base::ObjectKey& key);

  Parts parts_;
  ReconcilerMetrics metrics_;
  std::map<base::ObjectKey, absl::Time> status_written_;
  std::map<base::ObjectKey, absl::Duration> requeue_;  // wish of the last plan
};

}  // namespace tidegate::operator_
