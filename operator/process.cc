#include "operator/process.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "operator/rendering/names.h"
#include "operator/server/metrics_page.h"
#include "operator/webhooks/judge.h"
#include "storage/s3_object_store.h"

namespace tidegate::operator_ {
namespace {

constexpr char kController[] = "tidegate.dev/operator";
constexpr absl::Duration kStartRetry = absl::Seconds(2);
constexpr absl::Duration kPoll = absl::Milliseconds(50);
// The gateways are asked at once and answer one after another: one look for all of them.
constexpr absl::Duration kReadingsTogether = absl::Milliseconds(100);
constexpr absl::Duration kStopWithin = absl::Seconds(10);

ModelResolver::StoreFactory s3_stores(Environment& environment) {
  return [&environment](storage::S3Options options, std::string bucket) {
    return storage::make_s3_object_store(std::move(options), std::move(bucket), environment.other_http,
                                         environment.clock, environment.random);
  };
}

std::vector<std::shared_ptr<const kube::Pod>> all_pods(const kube::Store<kube::Pod>& store) {
  std::vector<std::shared_ptr<const kube::Pod>> pods;
  for (const auto& [key, pod] : store.list()) pods.push_back(pod);
  return pods;
}

// Whether they differ in nothing but that some have applied more.
bool has_only_advanced(const std::vector<GatewayState>& before, const std::vector<GatewayState>& now) {
  return std::equal(before.begin(), before.end(), now.begin(), now.end(),
                    [](GatewayState last, const GatewayState& present) {
                      if (last.applied.resource_version > present.applied.resource_version) return false;
                      last.applied.resource_version = present.applied.resource_version;
                      return last == present;
                    });
}

// Whether the object waits for the gateways, or says something about them.
bool minds_gateways(const api::ModelDeploymentStatus& status) {
  if (status.canary || !status.draining.empty()) return true;
  for (const api::Condition& condition : status.conditions) {
    if (condition.type == api::kTrafficVerified) return condition.status != api::ConditionStatus::kTrue;
  }
  return true;
}

// Our own writes of status change nothing that a plan would not have said already.
bool asks_for_a_look(const api::ModelDeployment& before, const api::ModelDeployment& after) {
  return before.metadata.uid != after.metadata.uid || before.metadata.generation != after.metadata.generation ||
         before.metadata.annotations != after.metadata.annotations ||
         before.metadata.deletion_timestamp != after.metadata.deletion_timestamp;
}

// Of all leaders that wrote a status. The Lease itself may have been deleted, with the namespace or by a person.
int64_t highest_epoch(const Stores& stores) {
  int64_t highest = 0;
  for (const auto& [key, object] : stores.models.list()) highest = std::max(highest, object->status.leader_epoch);
  return highest;
}

}  // namespace

// What runs while this replica leads. `taking` ends first, so that nothing new is begun while the rest finishes.
struct Process::Leadership {
  base::Scope scope;
  base::Scope taking{scope};
};

Process::Process(Environment environment, Options options)
    : environment_(std::move(environment)),
      options_(std::move(options)),
      limiter_(environment_.clock, {}),
      foreground_http_(environment_.api_server_http, limiter_, kube::RequestPriority::kForeground),
      background_http_(environment_.api_server_http, limiter_, kube::RequestPriority::kBackground),
      client_(foreground_http_, environment_.api_server, &client_metrics_),
      background_client_(background_http_, environment_.api_server, &client_metrics_),
      lease_client_(environment_.api_server_http, environment_.api_server, &client_metrics_),
      stores_(client_, environment_.clock, environment_.random, options_.ns, environment_.background),
      queue_(environment_.clock),
      expectations_(environment_.clock),
      events_(background_client_, environment_.clock, kController, environment_.identity),
      certificates_(client_, environment_.clock, {options_.ns, options_.cluster_domain},
                    [this](const net::TlsIdentity& identity) { new_identity(identity); }),
      ca_bundle_(client_, environment_.clock, options_.ns),
      resolver_(stores_.models, client_, s3_stores(environment_), environment_.clock,
                [this](const base::ObjectKey& key) { queue_.add(key); }),
      scraper_(
          stores_.gateway_pods, environment_.other_http, ledger_, environment_.clock, environment_.loop,
          [this] { return unconfirmed(); },
          [this](const std::vector<std::string>& objects) { look_at_counts(objects); }, [this] { gateways_changed(); }),
      evidence_(client_, ledger_, environment_.clock, [this] { return leads(); }),
      executor_(client_, stores_, expectations_, events_, environment_.clock, [this] { return leads(); },
                {base::cat(options_.gateway_service, ".", options_.ns, ".svc.", options_.cluster_domain)}),
      reconciler_({{stores_, resolver_, ledger_, traffic_versions_, revisions_,
                    [this](const base::ObjectKey& key) { return gateways_for(key); },
                    [this](const base::ObjectKey& key) { return traffic_error(key); }},
                   queue_,
                   expectations_,
                   ledger_,
                   evidence_,
                   executor_,
                   environment_.clock,
                   [this] { return elector_ ? elector_->epoch() : 0; },
                   [this] { scraper_.wake(); },
                   options_.cluster_domain}),
      pages_({[this] { return not_ready_because(); }, [this] { return metrics(); },
              [this](const base::ObjectKey& key) { return reconciler_.describe(key); }}),
      newcomers_(client_, environment_.clock, [this] { return xds_.get(); }) {
  connect_stores();
}

Process::~Process() = default;

void Process::connect_stores() {
  stores_.models.add_handlers({[this](const base::ObjectKey& key, const auto& object) {
                                 note_weights(key, *object);
                                 resolver_.look(key);
                                 queue_.add(key);
                                 if (publisher_) publisher_->changed(key);
                               },
                               [this](const base::ObjectKey& key, const auto& before, const auto& after) {
                                 saw_update(key, *after);
                                 if (before->spec.model != after->spec.model) resolver_.look(key);
                                 if (asks_for_a_look(*before, *after)) queue_.add(key);
                                 if (publisher_) publisher_->changed(key);
                               },
                               [this](const base::ObjectKey& key, const auto&) {
                                 traffic_versions_.forget(key);
                                 queue_.add(key);
                                 if (publisher_) publisher_->changed(key);
                               }});
  stores_.deployments.add_handlers(
      {[this](const base::ObjectKey&, const auto& added) { enqueue_owner(added->meta); },
       [this](const base::ObjectKey&, const auto&, const auto& after) { enqueue_owner(after->meta); },
       [this](const base::ObjectKey&, const auto& last) { enqueue_owner(last->meta); }});
  auto serving_pod = [this](const std::shared_ptr<const kube::Pod>& pod) {
    enqueue_owner(pod->meta);
    if (publisher_) publisher_->changed({pod->meta.ns, pod->meta.label(kDeploymentLabel)});
  };
  stores_.serving_pods.add_handlers(
      {[serving_pod](const base::ObjectKey&, const auto& added) { serving_pod(added); },
       [serving_pod](const base::ObjectKey&, const auto&, const auto& after) { serving_pod(after); },
       [serving_pod](const base::ObjectKey&, const auto& last) { serving_pod(last); }});
  // Also of what the planner does not mind, as a pod's address.
  auto gateway_pods = [this] {
    gateways_changed();
    scraper_.wake();
  };
  stores_.gateway_pods.add_handlers(
      {[gateway_pods](const base::ObjectKey&, const auto&) { gateway_pods(); },
       [gateway_pods](const base::ObjectKey&, const auto&, const auto&) { gateway_pods(); },
       [gateway_pods](const base::ObjectKey&, const auto&) { gateway_pods(); }});
  stores_.services.add_handlers(
      {nullptr, [this](const base::ObjectKey&, const auto&, const auto& after) { enqueue_owner(after->meta); },
       [this](const base::ObjectKey&, const auto& last) { enqueue_owner(last->meta); }});
  for (kube::Store<api::ServingRuntime>* runtimes : {&stores_.runtimes, &stores_.cluster_runtimes}) {
    runtimes->add_handlers({[this](const base::ObjectKey&, const auto&) { enqueue_all(); },
                            [this](const base::ObjectKey&, const auto&, const auto&) { enqueue_all(); },
                            [this](const base::ObjectKey&, const auto&) { enqueue_all(); }});
  }
}

void Process::note_weights(const base::ObjectKey& key, const api::ModelDeployment& object) {
  const uint64_t before = traffic_versions_.highest();
  using Continuity = TrafficVersions::Continuity;
  const auto continuity = stores_.models.catches_up() ? Continuity::kMayHaveMissed : Continuity::kUnbroken;
  traffic_versions_.saw(key, object, continuity, environment_.clock.uptime());
  if (traffic_versions_.highest() > before) scraper_.wake();
}

void Process::saw_update(const base::ObjectKey& key, const api::ModelDeployment& object) {
  const uint64_t before = traffic_versions_.of(key);
  note_weights(key, object);
  const uint64_t now = traffic_versions_.of(key);
  // Another replica may have known of it sooner, and the gateways that it serves have it already.
  if (now != before && now <= applied_by_all(last_gateways_).value_or(0)) queue_.add(key);
}

base::Task<absl::Status> Process::run(base::Scope& scope) {
  const absl::Status certified = co_await start_certificates(scope);
  if (!certified.ok()) co_return certified;
  start_replica(replica_scope_);
  const absl::Status synced = co_await wait_until_synced(scope);
  const absl::Status serving = synced.ok() ? start_webhook() : absl::OkStatus();
  if (synced.ok() && serving.ok()) {
    kube::LeaseElectorOptions election;
    election.lease = {options_.ns, options_.lease_name};
    election.identity = environment_.identity;
    election.epoch_floor = [this] { return highest_epoch(stores_); };
    elector_ = std::make_unique<kube::LeaseElector>(
        lease_client_, environment_.clock, election,
        kube::LeaseCallbacks{[this](int64_t) { lead(); }, [this](const std::string&) { stop_leading(); },
                             [](const std::string& holder) {
                               base::log_info("leader", {{"identity", holder.empty() ? "nobody" : holder}});
                             }});
    auto stopping = scope.on_cancel([this] { environment_.loop.spawn(stop()); });
    co_await elector_->run(election_scope_);
    stopping.release();
  }
  replica_scope_.cancel();
  webhook_.reset();
  if (xds_) xds_->shutdown();
  co_return serving;
}

base::Task<absl::Status> Process::start_certificates(base::Scope& scope) {
  while (true) {
    const absl::Status started = co_await certificates_.start(scope);
    if (!xds_error_.ok()) co_return xds_error_;
    if (started.ok() || scope.cancelled()) co_return started;
    base::log_warning("no certificates yet", {{"error", started}});
    co_await base::sleep_for(environment_.clock, kStartRetry, scope);
  }
}

void Process::start_replica(base::Scope& scope) {
  publisher_ = std::make_unique<TrafficPublisher>(stores_, *xds_, environment_.clock, options_.cluster_domain,
                                                  [this](const base::ObjectKey& key) { queue_.add(key); });
  stores_.start(environment_.loop, scope);
  environment_.loop.spawn(publisher_->run(scope));
  environment_.loop.spawn(newcomers_.run(scope));
  environment_.loop.spawn(events_.run(scope));
  environment_.loop.spawn(certificates_.keep_own_identity(scope));
}

base::Task<absl::Status> Process::wait_until_synced(base::Scope& scope) {
  while (!scope.cancelled() && !(stores_.synced() && publisher_->serving())) {
    co_await base::sleep_for(environment_.clock, kPoll, scope);
  }
  co_return scope.cancelled() ? absl::CancelledError("stopped before it was ready") : absl::OkStatus();
}

// On every replica: judging an object needs the stores, not the lease.
absl::Status Process::start_webhook() {
  if (!has_webhook()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<WebhookServer>> started =
      WebhookServer::start(environment_.listen, options_.listen_address, options_.webhook_port, identity_,
                           environment_.loop, environment_.clock, [this](const Review& review) {
                             return judge(review, [this](const api::ModelDeployment& object) {
                               return references_of(object, stores_, options_.cluster_domain);
                             });
                           });
  if (!started.ok()) return started.status();
  webhook_ = *std::move(started);
  return absl::OkStatus();
}

base::Task<void> Process::stop() {
  if (!leaderships_.empty()) leaderships_.back()->taking.cancel();
  base::Scope patience;
  const absl::Duration begun = environment_.clock.uptime();
  while (queue_.processing() > 0 && environment_.clock.uptime() - begun < kStopWithin) {
    co_await base::sleep_for(environment_.clock, kPoll, patience);
  }
  election_scope_.cancel();
}

bool Process::leads() const { return elector_ && elector_->is_leader(); }

void Process::lead() {
  resolver_.forget_all();
  scraper_.forget_readings();
  executor_.forget_all();
  evidence_.forget_all();
  leaderships_.push_back(std::make_unique<Leadership>());
  base::Scope& scope = leaderships_.back()->scope;
  stores_.refresh();
  environment_.loop.spawn(reconcile_once_fresh(*leaderships_.back()));
  for (int i = 0; i < ModelResolver::kWorkers; ++i) environment_.loop.spawn(resolver_.work(scope));
  environment_.loop.spawn(scraper_.run(scope));
  environment_.loop.spawn(certificates_.keep_gateway_identity(scope));
  if (webhook_) environment_.loop.spawn(ca_bundle_.keep(scope));
  for (const auto& [key, object] : stores_.models.list()) resolver_.look(key);
  enqueue_all();
}

// A standby's stores may be older than its lease: a watch that stands still, a list from a server that lags behind.
// What the last leader did since then must be seen before anything is decided: pods and gateways carry no precondition.
base::Task<void> Process::reconcile_once_fresh(Leadership& leadership) {
  while (!leadership.taking.cancelled() && !stores_.fresh()) {
    co_await base::sleep_for(environment_.clock, kPoll, leadership.taking);
  }
  if (leadership.taking.cancelled()) co_return;
  for (int i = 0; i < Reconciler::kWorkers; ++i) {
    environment_.loop.spawn(reconciler_.work(leadership.taking, leadership.scope));
  }
}

void Process::stop_leading() {
  if (!leaderships_.empty()) leaderships_.back()->scope.cancel();
  // What was measured belongs to the next leader, who reads the evidence.
  for (const auto& [key, object] : stores_.models.list()) ledger_.close(key);
}

void Process::new_identity(const net::TlsIdentity& identity) {
  scraper_.set_identity(identity);
  identity_ = identity;
  ca_bundle_.set(identity.ca_pem);
  const absl::Status replaced = webhook_ ? webhook_->rotate(identity) : absl::OkStatus();
  if (!replaced.ok()) base::log_error("the webhook keeps its old certificate", {{"error", replaced}});
  if (xds_) {
    const absl::Status rotated = xds_->rotate(identity);
    if (!rotated.ok()) base::log_error("xDS keeps its old certificate", {{"error", rotated}});
    return;
  }
  xds::ServerOptions server;
  server.address = options_.listen_address;
  server.port = options_.xds_port;
  server.client_identity = kGatewayIdentity;
  server.hold_newcomers = true;
  // On one of gRPC's threads.
  server.on_change = [this] {
    environment_.loop.post([this] {
      gateways_changed();
      newcomers_.look();
      if (publisher_) publisher_->proxies_changed();
    });
  };
  absl::StatusOr<std::unique_ptr<xds::Server>> started = environment_.make_xds_server(std::move(server), identity);
  if (started.ok()) {
    xds_ = *std::move(started);
  } else {
    xds_error_ = started.status();
  }
}

void Process::gateways_changed() {
  std::vector<GatewayState> gateways = current_gateways(scraper_.readings());
  if (gateways == last_gateways_) return;
  const bool only_advanced = has_only_advanced(last_gateways_, gateways);
  const uint64_t before = applied_by_all(last_gateways_).value_or(0);
  last_gateways_ = std::move(gateways);
  const uint64_t now = applied_by_all(last_gateways_).value_or(0);
  for (const absl::Duration took : traffic_versions_.confirmed(now, environment_.clock.uptime())) {
    confirmation_.observe(took);
  }
  scraper_.wake();
  if (only_advanced) {
    for (const base::ObjectKey& key : traffic_versions_.waiting(before, now)) queue_.add(key);
    return;
  }
  for (const auto& [key, object] : stores_.models.list()) {
    if (minds_gateways(object->status)) queue_.add(key);
  }
}

void Process::look_at_counts(const std::vector<std::string>& objects) {
  for (const std::string& object : objects) {
    const size_t slash = object.find('/');
    queue_.add_after({object.substr(0, slash), object.substr(slash + 1)}, kReadingsTogether);
  }
}

void Process::enqueue_owner(const kube::ObjectMeta& meta) {
  const std::string name = meta.label(kDeploymentLabel);
  if (!name.empty()) queue_.add({meta.ns, name});
}

void Process::enqueue_all() {
  for (const auto& [key, object] : stores_.models.list()) queue_.add(key);
}

std::vector<GatewayState> Process::current_gateways(const std::map<std::string, GatewayReading>& readings) const {
  const xds::ServerStatus status = xds_ ? xds_->status() : xds::ServerStatus{};
  return gateway_states(all_pods(stores_.gateway_pods), readings, status, environment_.clock.now());
}

GatewayView Process::gateways_for(const base::ObjectKey& key) const {
  const std::map<std::string, GatewayReading> readings = scraper_.readings();
  const std::vector<GatewayState> gateways = current_gateways(readings);
  return {proxies_for(key.to_string(), gateways), measurement_error(gateways, readings)};
}

std::optional<rollout::TrafficError> Process::traffic_error(const base::ObjectKey& key) const {
  const std::optional<traffic::ProgramError> error = publisher_ ? publisher_->error_of(key) : std::nullopt;
  if (!error) return std::nullopt;
  return rollout::TrafficError{error->reason, error->message};
}

std::set<std::string> Process::unconfirmed() const {
  const uint64_t wanted = traffic_versions_.highest();
  std::set<std::string> pods;
  for (const GatewayState& gateway : current_gateways(scraper_.readings())) {
    if (gateway.applied.resource_version < wanted) pods.insert(gateway.name);
  }
  return pods;
}

std::string Process::not_ready_because() const {
  if (!xds_) return "the certificates are not there yet";
  if (!stores_.synced()) return stores_.not_synced_because();
  if (!publisher_ || !publisher_->serving()) return "xDS does not serve: the API server has been silent for too long";
  if (has_webhook() && !webhook_) return "the webhook does not listen yet";
  return "";
}

std::string Process::metrics() const {
  MetricsSources sources;
  sources.stores = &stores_;
  sources.client = &client_metrics_;
  sources.queue = &queue_;
  sources.expectations = &expectations_;
  sources.events = &events_;
  sources.limiter = &limiter_;
  sources.reconciler = &reconciler_;
  sources.scraper = &scraper_;
  sources.publisher = publisher_.get();
  sources.confirmation = &confirmation_;
  if (xds_) sources.xds = xds_->status();
  if (webhook_) sources.webhook = &webhook_->metrics();
  sources.leader = leads();
  sources.now = environment_.clock.now();
  return metrics_page(sources);
}

}  // namespace tidegate::operator_
