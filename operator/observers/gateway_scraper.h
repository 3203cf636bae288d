#pragma once
// Asks every gateway pod what it has applied and counted. Runs on the leader.
//
//   look, at each gateway pod:  what is due? ──► GET https://<pod>:8082/stats… (mutual TLS) ──► reading, ledger
//
// It looks when something is due, and when wake() says that what is due may have changed; else it sleeps.
// With histograms each 5 s of everything that is measured, and in between of what has just begun to be; without, each
// second while a weight waits for confirmation that the proxies' own acknowledgements to this replica have not brought
// at once;
// and each 30 s in any case, so that an unreachable gateway is known.
#include <absl/time/time.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/store.h"
#include "kube/types.h"
#include "net/certificate.h"
#include "net/http_client.h"
#include "operator/observers/measurement_ledger.h"
#include "traffic/applied_version.h"

namespace tidegate::operator_ {

// What is known about one gateway pod from asking it.
struct GatewayReading {
  std::optional<absl::Time> read_at;  // the last answer
  traffic::AppliedVersion applied;
  std::optional<absl::Time> unreachable_since;  // the first of the failures since the last answer
  std::string error;
  std::string instance;  // the container that answered last
};

// Identifies a gateway pod's process: a restart of its container gives a new one. Empty before it runs.
std::string container_id(const kube::Pod& pod);
// Whether it can never send a request again. A container that ended is restarted unless the pod goes, too.
bool is_gone_for_good(const kube::Pod& pod);

enum class ScrapeKind {
  kNone,
  kVersions,   // nothing but what it has applied
  kBaseLines,  // counts of the objects that have none of this pod yet
  kCounts,     // counts of all that are measured
};

// What the next request to a pod should be. Pure.
struct ScrapeState {
  absl::Duration since_versions = absl::InfiniteDuration();  // since the last request of any kind
  absl::Duration since_counts = absl::InfiniteDuration();    // since the last for all that are measured
  bool measuring = false;                                    // some window is open
  bool base_line_wanted = false;                             // of one of them this pod has not been asked yet
  std::optional<absl::Duration> unconfirmed_for;             // so long this pod has had a weight to confirm
};
ScrapeKind next_scrape(const ScrapeState& state);
// For how long that is kNone if nothing but time changes; zero: it is not.
absl::Duration until_next_scrape(const ScrapeState& state);

class GatewayScraper {
 public:
  static constexpr uint16_t kPort = 8082;

  // "<namespace>/<name>" of each.
  using OnCounts = std::function<void(const std::vector<std::string>& objects)>;
  // The pods, by name, that a weight waits for.
  using Unconfirmed = std::function<std::set<std::string>()>;

  // All references must outlive it. `on_counts`: a gateway's counts about these objects have gone into the ledger.
  // `on_reading` is called after each answer or failure.
  GatewayScraper(const kube::Store<kube::Pod>& pods, net::HttpClient& http, MeasurementLedger& ledger,
                 base::Clock& clock, base::Loop& loop, Unconfirmed unconfirmed, OnCounts on_counts,
                 std::function<void()> on_reading);

  // The operator's own certificate; before the first, nothing is asked.
  void set_identity(const net::TlsIdentity& identity);
  // A window was opened, a weight waits, a gateway's pod came or changed: see now what is due.
  void wake() { signal_.notify(); }
  base::Task<void> run(base::Scope& scope);
  // What an earlier leadership read is no truth about the present.
  void forget_readings();

  // By pod name; pods that have not been asked yet, or are gone, are not in it.
  std::map<std::string, GatewayReading> readings() const;

 private:
  struct Target {
    GatewayReading reading;
    bool in_flight = false;
    absl::Duration asked_at = -absl::InfiniteDuration();         // uptime
    absl::Duration asked_counts_at = -absl::InfiniteDuration();  // uptime
    std::optional<absl::Duration> unconfirmed_since;             // uptime
  };
  // Begins what is due; returns for how long nothing more will be. Infinite: until wake().
  absl::Duration look(base::Scope& scope);
  ScrapeState state_of(const std::string& pod, const Target& target, bool measuring) const;
  void begin(const std::string& pod, Target& target, ScrapeKind kind, base::Scope& scope);
  void forget_gone_pods();
  base::Task<void> scrape(std::string pod, ScrapeKind kind, base::Scope& scope);
  void ended(const std::string& pod);
  std::vector<std::string> objects_for(const std::string& pod, ScrapeKind kind) const;
  net::HttpRequest request_to(const kube::Pod& pod, const std::vector<std::string>& objects, bool counts) const;
  void succeeded(const std::string& pod, absl::Time begun, const std::vector<std::string>& objects, bool counts,
                 const metrics::GatewayScrape& scrape);
  void failed(const std::string& pod, absl::Time begun, const std::string& why);

  const kube::Store<kube::Pod>& pods_;
  net::HttpClient& http_;
  MeasurementLedger& ledger_;
  base::Clock& clock_;
  base::Loop& loop_;
  Unconfirmed unconfirmed_;
  OnCounts on_counts_;
  std::function<void()> on_reading_;
  std::shared_ptr<const net::TlsOptions> tls_;
  base::Signal signal_;
  std::map<std::string, Target> targets_;
};

}  // namespace tidegate::operator_
