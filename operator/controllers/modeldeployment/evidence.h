#pragma once
// Keeps what the ledger measured in the ConfigMap <name>-evidence, so that a failover goes on measuring where the last
// leader was: written before every verdict that acts, and at most every 30 s otherwise; read when a window is opened.
//
// Each write asks for the lease and carries the resourceVersion that this process knows: a leader that slept, or lost
// its lease while a request was on its way, never overwrites what its successor measured.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <functional>
#include <map>
#include <optional>
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

  // All references must outlive it. `may_write`: this process holds the lease, now.
  EvidenceKeeper(kube::Client& client, MeasurementLedger& ledger, base::Clock& clock, std::function<bool()> may_write)
      : client_(client), ledger_(ledger), clock_(clock), may_write_(std::move(may_write)) {}

  // Opens the window with what another leader saved about it. Not read is not the same as nothing there: on an error
  // the window stays closed, so that no reading can get in first. What this process itself has saved since it last
  // looked is of earlier windows and is not read again. A ConfigMap that the object of that uid does not own is left
  // alone: nothing is read from it or saved.
  base::Task<absl::Status> load(base::ObjectKey object, std::string uid, MeasurementWindow window, base::Scope& scope);
  // Writes what is new, if `now_or_never` or the period has passed. ABORTED: somebody else wrote it meanwhile.
  base::Task<absl::Status> save(const api::ObjectMeta& object, bool now_or_never, base::Scope& scope);
  void forget(const base::ObjectKey& object) { known_.erase(object); }
  // What an earlier leadership knew.
  void forget_all() { known_.clear(); }

 private:
  struct Known {
    std::optional<std::string> resource_version;  // of the ConfigMap; empty: there is none; nullopt: not known
    bool foreign_told = false;
    std::optional<MeasurementWindow> opened;              // by load(), the last one
    absl::Duration saved_at = -absl::InfiniteDuration();  // uptime; or when a window was opened, with nothing to save
  };
  // The ConfigMap, whose version is known then; null when there is none, or it is somebody else's: then none is known.
  base::Task<absl::StatusOr<kube::Json>> read(base::ObjectKey object, std::string uid, base::Scope& scope);
  void tell_of_foreign(const base::ObjectKey& object);
  void open(const base::ObjectKey& object, const MeasurementWindow& window);
  base::Task<absl::StatusOr<kube::Written>> write(kube::Json config_map, std::string resource_version,
                                                  base::Scope& scope);

  kube::Client& client_;
  MeasurementLedger& ledger_;
  base::Clock& clock_;
  std::function<bool()> may_write_;
  std::map<base::ObjectKey, Known> known_;
};

}  // namespace tidegate::operator_
