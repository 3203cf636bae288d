#pragma once
// The operator as a whole: makes the parts, connects them, starts and stops them in order. main.cc hands in what
// touches the world (loop, clock, randomness, HTTP clients) and runs it.
//
// Start:  authority and own certificate ─► stores synced, xDS and webhook serve ─► Ready ─► election ─► controllers
// Stop:   no more work is taken ─► what is in flight ends (at most 10 s) ─► the lease is released ─► xDS ends
//
// Taking over:  the lease is taken ─► all stores are listed anew ─► the reconciler decides
//
//   every replica:  stores · publisher (xDS) · webhook · own certificate · events · management pages
//   the leader:     resolver · scraper · reconciler · the gateways' certificate · the webhook's caBundle
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/background.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "kube/event_recorder.h"
#include "kube/expectations.h"
#include "kube/lease_elector.h"
#include "kube/metrics.h"
#include "kube/rate_limit.h"
#include "kube/work_queue.h"
#include "net/http_client.h"
#include "operator/certificates/certificate_manager.h"
#include "operator/controllers/modeldeployment/evidence.h"
#include "operator/controllers/modeldeployment/executor.h"
#include "operator/controllers/modeldeployment/reconciler.h"
#include "operator/controllers/modeldeployment/traffic_versions.h"
#include "operator/observers/gateway_scraper.h"
#include "operator/observers/gateways.h"
#include "operator/observers/measurement_ledger.h"
#include "operator/observers/model_resolver.h"
#include "operator/options.h"
#include "operator/publisher/newcomers.h"
#include "operator/publisher/traffic_publisher.h"
#include "operator/server/management_pages.h"
#include "operator/stores.h"
#include "operator/webhooks/ca_bundle_keeper.h"
#include "operator/webhooks/webhook_server.h"
#include "xds/server.h"

namespace tidegate::operator_ {

using MakeXdsServer =
    std::function<absl::StatusOr<std::unique_ptr<xds::Server>>(xds::ServerOptions, const net::TlsIdentity&)>;

// What touches the world. Everything must outlive the Process.
struct Environment {
  base::Loop& loop;
  base::Clock& clock;
  base::Random& random;
  net::HttpClient& api_server_http;
  net::HttpClient& other_http;  // stores that users name, and gateways
  kube::ClientConfig api_server;
  std::string identity;                          // unique among the replicas and their lives
  MakeXdsServer make_xds_server;                 // xds::Server::start, or what stands in for it
  ServerFactory listen = {};                     // for the webhook; empty: there is none
  base::BackgroundThread* background = nullptr;  // reads big lists; null: the loop does
};

class Process {
 public:
  Process(Environment environment, Options options);
  ~Process();

  // Until `scope` ends; then stops in order. OK, or why it could not start.
  base::Task<absl::Status> run(base::Scope& scope);

  const ManagementPages& pages() const { return pages_; }

 private:
  struct Leadership;

  void connect_stores();
  base::Task<absl::Status> start_certificates(base::Scope& scope);
  void start_replica(base::Scope& scope);
  base::Task<absl::Status> wait_until_synced(base::Scope& scope);
  bool has_webhook() const { return options_.webhook_port != 0 && environment_.listen != nullptr; }
  absl::Status start_webhook();
  base::Task<void> stop();

  bool leads() const;
  void lead();
  base::Task<void> reconcile_once_fresh(Leadership& leadership);
  void stop_leading();

  void new_identity(const net::TlsIdentity& identity);
  void gateways_changed();
  void note_weights(const base::ObjectKey& key, const api::ModelDeployment& object);
  void saw_update(const base::ObjectKey& key, const api::ModelDeployment& object);
  void look_at_counts(const std::vector<std::string>& objects);
  void enqueue_owner(const kube::ObjectMeta& meta);
  void enqueue_all();
  std::vector<GatewayState> current_gateways(const std::map<std::string, GatewayReading>& readings) const;
  GatewayView gateways_for(const base::ObjectKey& key) const;
  std::optional<rollout::TrafficError> traffic_error(const base::ObjectKey& key) const;
  // The gateway pods that a weight waits for.
  std::set<std::string> unconfirmed() const;
  std::string not_ready_because() const;
  std::string metrics() const;

  Environment environment_;
  Options options_;
  kube::ClientMetrics client_metrics_;
  kube::RateLimiter limiter_;
  kube::RateLimitedHttpClient foreground_http_;
  kube::RateLimitedHttpClient background_http_;
  kube::Client client_;
  kube::Client background_client_;  // of events: they wait for everything else
  kube::Client lease_client_;       // waits for nothing
  Stores stores_;
  kube::WorkQueue queue_;
  kube::Expectations expectations_;
  kube::EventRecorder events_;
  MeasurementLedger ledger_;
  TrafficVersions traffic_versions_;
  RevisionFinder revisions_;
  CertificateManager certificates_;
  CaBundleKeeper ca_bundle_;
  ModelResolver resolver_;
  GatewayScraper scraper_;
  EvidenceKeeper evidence_;
  std::unique_ptr<kube::LeaseElector> elector_;
  Executor executor_;
  Reconciler reconciler_;
  ManagementPages pages_;
  Newcomers newcomers_;

  net::TlsIdentity identity_;               // of this replica, the latest
  std::unique_ptr<WebhookServer> webhook_;  // once the stores are synced; null when it is switched off
  std::unique_ptr<xds::Server> xds_;        // from the first identity on
  absl::Status xds_error_;
  std::unique_ptr<TrafficPublisher> publisher_;
  std::vector<GatewayState> last_gateways_;
  kube::DurationHistogram confirmation_;  // from seeing new shares to the last gateway's having them

  base::Scope replica_scope_;  // everything but the election
  base::Scope election_scope_;
  // One for each time this replica led; the tasks of an ended one may still be unwinding.
  std::list<std::unique_ptr<Leadership>> leaderships_;
};

}  // namespace tidegate::operator_
