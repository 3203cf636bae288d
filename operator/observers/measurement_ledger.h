#pragma once
// Adds up what the gateways counted for a canary and its stable revision since the weights of the present step were
// verified. Pure memory: fed by the gateway scraper, read by the gatherer, saved and restored as text (the evidence
// ConfigMap), so that another leader goes on measuring where the last one was.
//
// A gateway counts since its start, so for each gateway process the first reading at or after `from` is the base line
// and only differences count. A process that is known to have started after `from` counts from zero; one that was
// replaced between two readings loses what it counted in between, and is recognised by its start, its container id or a
// falling counter (metrics::difference).
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/object_key.h"
#include "metrics/gateway_stats.h"
#include "rollout/observed.h"

namespace tidegate::operator_ {

// What is being measured: exactly one step of one rollout.
struct MeasurementWindow {
  std::string stable;  // revisions
  std::string canary;
  absl::Time from;  // the weights were verified; milliseconds, as status has it

  friend bool operator==(const MeasurementWindow&, const MeasurementWindow&) = default;
};

class MeasurementLedger {
 public:
  // Begins to measure; nothing happens when exactly this window is open. Returns whether it is new.
  bool open(const base::ObjectKey& object, const MeasurementWindow& window);
  void close(const base::ObjectKey& object) { entries_.erase(object); }
  bool is_open(const base::ObjectKey& object, const MeasurementWindow& window) const;

  // "<namespace>/<name>" of all objects with an open window: what a scrape must ask for.
  std::vector<std::string> objects() const;
  // Those of them of which nothing has been read from this gateway pod yet.
  std::vector<std::string> objects_without_base_line(const std::string& pod) const;
  bool lacks_base_line(const std::string& pod) const;

  // A reading of one gateway pod, which covers `objects` (as the above gave them when it was asked for).
  void absorb(const std::string& pod, const std::vector<std::string>& objects, const metrics::GatewayScrape& scrape);

  // nullopt before the first difference.
  std::optional<rollout::Measurements> measurements(const base::ObjectKey& object) const;

  // Whether there is something that evidence() has not handed out yet.
  bool dirty(const base::ObjectKey& object) const;
  // JSON of all that is known about the open window. Needs an open window.
  std::string evidence(const base::ObjectKey& object);
  // What evidence() handed out was not saved.
  void mark_dirty(const base::ObjectKey& object);
  // Takes over what another leader measured, if it is about the open window and nothing was measured here yet.
  // INVALID_ARGUMENT: the text is not what evidence() wrote; the ledger then starts from nothing.
  absl::Status restore(const base::ObjectKey& object, const std::string& evidence);

 private:
  struct Arms {
    metrics::Counters stable;
    metrics::Counters canary;
  };
  struct Gateway {
    metrics::GatewayScrape last;  // of this object's two clusters only
  };
  struct Entry {
    MeasurementWindow window;
    std::map<std::string, Gateway> gateways;  // by pod name
    Arms arms;
    std::optional<absl::Time> until;
    bool dirty = false;
  };
  void absorb_into(const base::ObjectKey& object, Entry& entry, const std::string& pod,
                   const metrics::GatewayScrape& scrape);

  std::map<base::ObjectKey, Entry> entries_;
};

}  // namespace tidegate::operator_
