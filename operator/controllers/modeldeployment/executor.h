#pragma once
// Carries out a Plan, in its order, and decides nothing: address, status, creates, scales, deletes, events. Each step
// is idempotent; the first failure ends the round, and the next one observes afresh. A conflict (ABORTED) means that
// something moved on since it was observed: never retried blindly.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "kube/event_recorder.h"
#include "kube/expectations.h"
#include "operator/controllers/modeldeployment/gatherer.h"
#include "operator/stores.h"
#include "rollout/plan.h"

namespace tidegate::operator_ {

struct ExecutorOptions {
  std::string gateway_host;  // what the objects' Services are another name of
};

class Executor {
 public:
  // All references must outlive it. `may_write`: this process holds the lease, now.
  Executor(kube::Client& client, const Stores& stores, kube::Expectations& expectations, kube::EventRecorder& events,
           base::Clock& clock, std::function<bool()> may_write, ExecutorOptions options);

  base::Task<absl::Status> execute(const Gathered& gathered, const rollout::Plan& plan, base::Scope& scope);

  // Why the object's wanted revision could not be made, for as long as it could not; null: it could.
  const rollout::CreateError* create_error(const base::ObjectKey& key) const;
  void forget(const base::ObjectKey& key);
  // What an earlier leadership remembered.
  void forget_all();

 private:
  base::Task<absl::Status> ensure_address(const Gathered& gathered, base::Scope& scope);
  base::Task<absl::Status> create_address(const Gathered& gathered, kube::Json service, base::Scope& scope);
  base::Task<absl::Status> write_status(const Gathered& gathered, const rollout::Plan& plan, base::Scope& scope);
  base::Task<absl::Status> create(const Gathered& gathered, const rollout::CreateWorkload& step, base::Scope& scope);
  base::Task<absl::Status> scale(const Gathered& gathered, const rollout::ScaleWorkload& step, base::Scope& scope);
  base::Task<absl::Status> remove(const Gathered& gathered, const rollout::DeleteWorkload& step, base::Scope& scope);
  absl::Status check_may_write() const;
  void tell(const Gathered& gathered, kube::EventType type, const std::string& reason, const std::string& message);

  kube::Client& client_;
  const Stores& stores_;
  kube::Expectations& expectations_;
  kube::EventRecorder& events_;
  base::Clock& clock_;
  std::function<bool()> may_write_;
  ExecutorOptions options_;
  std::map<base::ObjectKey, rollout::CreateError> create_errors_;
  std::map<base::ObjectKey, absl::Duration> address_tried_;  // uptime of the last attempt that found a foreign Service
};

}  // namespace tidegate::operator_
