#pragma once
// Keeps what the ledger measured in the ConfigMap <name>-evidence, so that a failover goes on measuring where the last
// leader was: written before every verdict that acts, and at most every 30 s otherwise; read when a window is opened.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <map>
#include <string>

#include "api/types.h"
#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "operator/observers/measurement_ledger.h"

namespace tidegate::operator_ {

class EvidenceKeeper {
 public:
  static constexpr absl::Duration kPeriod = absl::Seconds(30);

  EvidenceKeeper(kube::Client& client, MeasurementLedger& ledger, base::Clock& clock)
      : client_(client), ledger_(ledger), clock_(clock) {}

  // Opens the window with what another leader saved about it. Not read is not the same as nothing there: on an error
  // the window stays closed, so that no reading can get in first.
  base::Task<absl::Status> load(kube::ObjectKey object, MeasurementWindow window, base::Scope& scope);
  // Writes what is new, if `now_or_never` or the period has passed.
  base::Task<absl::Status> save(const api::ObjectMeta& object, bool now_or_never, base::Scope& scope);
  void forget(const kube::ObjectKey& object) { saved_at_.erase(object); }

 private:
  kube::Client& client_;
  MeasurementLedger& ledger_;
  base::Clock& clock_;
  std::map<kube::ObjectKey, absl::Duration> saved_at_;  // uptime
};

}  // namespace tidegate::operator_
