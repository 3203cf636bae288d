#include "operator_world.h"

#include "api/json.h"
#include "base/strings.h"
#include "operator/rendering/names.h"
#include "samples.h"
#include "storage/s3_listing.h"

namespace tidegate::operator_ {
namespace {

using kube::Json;

const base::ObjectKey kDigits{"demo", "digits"};

std::string page(const Process& process, const std::string& path) {
  net::ServerRequest request;
  request.method = "GET";
  request.target = path;
  return process.pages().answer(request).body;
}

base::Task<void> run_to_its_end(Process& process, base::Scope& scope, bool& running) {
  const absl::Status ended = co_await process.run(scope);
  EXPECT_TRUE(ended.ok() || absl::IsCancelled(ended)) << ended;
  running = false;
}

class FakeWebhookServer : public net::HttpServer {
 public:
  explicit FakeWebhookServer(std::shared_ptr<WebhookPort> port) : port_(std::move(port)) {}
  ~FakeWebhookServer() override { port_->handler = nullptr; }
  uint16_t port() const override { return 9443; }
  absl::Status replace_tls(const net::ServerTls& tls) override {
    port_->tls = tls;
    return absl::OkStatus();
  }
  void announce_close() override {}
  void drain(std::function<void()>) override {}

 private:
  std::shared_ptr<WebhookPort> port_;
};

ServerFactory webhook_servers(const std::shared_ptr<WebhookPort>& port) {
  return [port](const net::HttpServerOptions&, const net::ServerTls& tls, net::Handler handler) {
    port->tls = tls;
    port->handler = std::move(handler);
    return absl::StatusOr<std::unique_ptr<net::HttpServer>>(std::make_unique<FakeWebhookServer>(port));
  };
}

std::string version_of(const Json& deployment) {
  return kube::string_at(deployment, {"metadata", "annotations", kVersionAnnotation});
}

}  // namespace

base::Task<absl::StatusOr<net::HttpResponse>> FakeNetwork::request(net::HttpRequest request, base::Scope&) {
  if (request.url.find(":8082/") != std::string::npos) {
    if (!gateways_reachable) co_return absl::UnavailableError("connection refused");
    co_return statistics();
  }
  co_return list(request.url);
}

net::HttpResponse FakeNetwork::list(const std::string& url) {
  ++listings;
  return store_fault ? storage::s3_refusal(store_fault->first, store_fault->second) : storage::s3_listing(objects, url);
}

net::HttpResponse FakeNetwork::statistics() const {
  std::string body = base::cat("cluster.tidegate/version.version_text: \"", applied,
                               "\"\nserver.uptime: ", absl::ToInt64Seconds(clock->now() - started), "\n");
  for (const auto& [cluster, count] : counts) {
    body += base::cat("tidegate.requests.cluster.", cluster, ": ", static_cast<uint64_t>(count.requests), "\n");
    body += base::cat("tidegate.ended.cluster.", cluster, ".outcome.5xx: ", static_cast<uint64_t>(count.errors), "\n");
    body += base::cat("tidegate.latency.cluster.", cluster, ":\n  totals=");
    std::string separator;
    for (const auto& [microseconds, requests] : count.by_microseconds) {
      body += base::cat(separator, microseconds, ",100:", static_cast<uint64_t>(requests));
      separator = ", ";
    }
    body += "\n  intervals=\n  summary=P0(nan,1)\n";
  }
  net::HttpResponse response;
  response.status = 200;
  response.body = std::move(body);
  return response;
}

OperatorWorld::OperatorWorld() {
  network.clock = &clock;
  network.started = clock.now() - absl::Hours(1);
  Json runtime = {{"metadata", {{"name", "tensorflow"}}}, {"spec", api::to_json(sample_runtime().spec)}};
  api_server.put(cluster_serving_runtimes(), runtime);
  Json secret = {{"metadata", {{"name", "minio-credentials"}, {"namespace", "demo"}}}, {"data", Json::object()}};
  secret["data"] = {{"AWS_ACCESS_KEY_ID", "ZGVtbw=="},
                    {"AWS_SECRET_ACCESS_KEY", "ZGVtbw=="},
                    {"AWS_ENDPOINT_URL", "aHR0cDovL21pbmlvOjkwMDA="}};  // http://minio:9000
  api_server.put(kube::resources::secrets(), secret);
  for (const char* name : {"gateway-1", "gateway-2"}) {
    Json pod = {{"metadata",
                 {{"name", name},
                  {"namespace", "tidegate-system"},
                  {"labels", {{kPartOfLabel, kPartOfValue}, {kGatewayLabel, kGatewayValue}}}}},
                {"status",
                 {{"phase", "Running"},
                  {"podIP", "10.1.0.1"},
                  {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})},
                  {"containerStatuses",
                   Json::array({{{"name", "envoy"}, {"containerID", base::cat("c-", name)}, {"ready", true}}})}}}};
    api_server.put(kube::resources::pods(), pod);
  }
  for (const char* version : {"1", "2", "3"}) put_version(version);
  start_operator();
}

OperatorWorld::~OperatorWorld() {
  for (auto& replica : replicas_) kill(*replica);
}

base::Task<absl::StatusOr<net::HttpResponse>> ApiServerLine::request(net::HttpRequest request, base::Scope& scope) {
  if (cut) co_return absl::UnavailableError("connection timed out");
  if (request.on_chunk) {
    request.on_chunk = [silent = silent_, take = std::move(request.on_chunk)](std::string_view bytes) {
      return *silent || take(bytes);
    };
  }
  absl::StatusOr<net::HttpResponse> response = co_await server_.request(std::move(request), scope);
  if (cut) co_return absl::UnavailableError("connection timed out");
  co_return response;
}

void OperatorWorld::start_operator() {
  Options options;
  options.listen_address = "127.0.0.1";
  options.xds_port = 0;
  options.webhook_port = 9443;  // of a server without a network
  kube::ClientConfig config;
  config.server = "https://api.test:6443";
  auto replica = std::make_unique<Replica>();
  replica->line = std::make_unique<ApiServerLine>(api_server);
  replica->scope = std::make_unique<base::Scope>();
  replica->process = std::make_unique<Process>(
      Environment{loop, clock, random, *replica->line, network, config, base::cat("life-", ++lives_),
                  xds::Server::start, webhook_servers(replica->webhook)},
      options);
  replica->running = true;
  loop.spawn(run_to_its_end(*replica->process, *replica->scope, replica->running));
  replicas_.push_back(std::move(replica));
  settle();
}

OperatorWorld::Replica& OperatorWorld::leader() {
  for (auto& replica : replicas_) {
    if (replica->running && page(*replica->process, "/metrics").find("\ntidegate_leader 1") != std::string::npos) {
      return *replica;
    }
  }
  return *replicas_.back();
}

int OperatorWorld::leaders() {
  int count = 0;
  for (auto& replica : replicas_) {
    const bool leads = page(*replica->process, "/metrics").find("\ntidegate_leader 1") != std::string::npos;
    if (replica->running && leads) ++count;
  }
  return count;
}

void OperatorWorld::kill_leader() { kill(leader()); }

void OperatorWorld::kill(Replica& replica) {
  if (!replica.running) return;
  replica.line->cut = true;
  replica.scope->cancel();
  for (int i = 0; i < 100 && replica.running; ++i) {
    clock.advance(absl::Milliseconds(50));
    settle();
  }
  EXPECT_FALSE(replica.running) << "the operator does not end";
  settle();
}

void OperatorWorld::cut_off_leader() { leader().line->cut = true; }

void OperatorWorld::silence_standbys() {
  const Replica& leading = leader();
  for (auto& replica : replicas_) {
    if (replica.get() != &leading) replica->line->silence_watches();
  }
}

void OperatorWorld::mend() {
  for (auto& replica : replicas_) replica->line->cut = !replica->running;
}

void OperatorWorld::put_version(const std::string& version, const std::string& etag) {
  network.objects[base::cat("digits/", version, "/saved_model.pb")] = etag;
}

void OperatorWorld::apply(const nlohmann::json& spec) {
  Json object = {{"metadata", {{"name", kDigits.name}, {"namespace", kDigits.ns}}}, {"spec", spec}};
  if (const auto known = api_server.get(model_deployments(), kDigits)) {
    object = *known;
    object["spec"] = spec;
  }
  api_server.put(model_deployments(), object);
  settle();
}

void OperatorWorld::erase() {
  api_server.erase(model_deployments(), kDigits);
  settle();
}

void OperatorWorld::annotate(const std::string& name, const std::string& value) {
  Json object = *api_server.get(model_deployments(), kDigits);
  object["metadata"]["annotations"][name] = value;
  api_server.put(model_deployments(), object);
  settle();
}

void OperatorWorld::settle() {
  while (loop.run_ready() > 0) {
  }
  note_weights();
}

void OperatorWorld::pass(absl::Duration duration) {
  constexpr absl::Duration kStep = absl::Milliseconds(250);
  for (const absl::Time end = clock.now() + duration; clock.now() < end;) {
    settle();
    run_kubelet();
    // The gateways have taken whatever was published before this moment.
    if (const auto digits = api_server.get(model_deployments(), kDigits)) {
      network.applied = kube::resource_version_number(kube::string_at(*digits, {"metadata", "resourceVersion"}));
    }
    settle();
    run_users(kStep);
    const absl::Time next = clock.now() + kStep;
    while (clock.next_due() <= next) {
      clock.advance(clock.next_due() - clock.now());
      settle();
    }
    clock.advance(next - clock.now());
    // An API server sends bookmarks when nothing happens.
    api_server.bookmark();
    settle();
  }
}

bool OperatorWorld::pass_until(const std::function<bool()>& holds, absl::Duration limit) {
  for (const absl::Time end = clock.now() + limit; clock.now() < end;) {
    if (holds()) return true;
    pass(absl::Milliseconds(250));
  }
  return holds();
}

api::ModelDeployment OperatorWorld::object() const {
  const auto json = api_server.get(model_deployments(), kDigits);
  return json ? api::parse_model_deployment(*json).value() : api::ModelDeployment{};
}

const api::Condition* OperatorWorld::condition(const std::string& type) {
  condition_source_ = object();
  for (const api::Condition& condition : condition_source_.status.conditions) {
    if (condition.type == type) return &condition;
  }
  return nullptr;
}

std::string OperatorWorld::debug_page() {
  return page(*leader().process, "/debug/objects/modeldeployments/demo/digits");
}

std::string OperatorWorld::metrics_page() { return page(*leader().process, "/metrics"); }

nlohmann::json OperatorWorld::ask_webhook(size_t replica, const nlohmann::json& review) {
  net::ServerRequest request{"POST", kWebhookPath, {{"Content-Type", "application/json"}}, review.dump(), ""};
  net::ServerResponse answer;
  const net::Handler& handler = replicas_.at(replica)->webhook->handler;
  if (!handler) return "it does not listen";
  handler(std::move(request), net::Responder([&](net::ServerResponse given) { answer = std::move(given); }));
  settle();
  return Json::parse(answer.body)["response"];
}

bool OperatorWorld::ready() { return page(*leader().process, "/readyz") == "ok\n"; }

void OperatorWorld::run_kubelet() {
  for (const Json& deployment : api_server.all(kube::resources::deployments())) {
    const int64_t wanted = kube::int_at(deployment, {"spec", "replicas"}, 1);
    const std::string name = kube::string_at(deployment, {"metadata", "name"});
    for (int index = 0; index < 20; ++index) {
      const base::ObjectKey pod{"demo", base::cat(name, "-", index)};
      const bool exists = api_server.get(kube::resources::pods(), pod).has_value();
      if (index >= wanted && exists) {
        api_server.erase(kube::resources::pods(), pod);
        pod_made_.erase(pod);
      }
      if (index < wanted) make_pod(deployment, index);
    }
  }
}

void OperatorWorld::make_pod(const Json& deployment, int index) {
  const std::string revision = kube::string_at(deployment, {"metadata", "name"});
  const base::ObjectKey key{"demo", base::cat(revision, "-", index)};
  const absl::Time made = pod_made_.try_emplace(key, clock.now()).first->second;
  const bool loads = !broken.contains(version_of(deployment));
  const bool ready = loads && pods_can_be_scheduled && clock.now() - made >= pod_start;
  const auto known = api_server.get(kube::resources::pods(), key);
  if (known && kube::string_at(*known, {"status", "phase"}) == (ready ? "Running" : "Pending") && loads) return;
  if (known && !loads) return;
  Json status = {{"phase", ready ? "Running" : "Pending"}};
  Json conditions = Json::array();
  if (!pods_can_be_scheduled) {
    conditions.push_back({{"type", "PodScheduled"},
                          {"status", "False"},
                          {"reason", "Unschedulable"},
                          {"message", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}});
  }
  if (ready) {
    conditions.push_back({{"type", "Ready"}, {"status", "True"}});
    status["podIP"] = base::cat("10.2.0.", index + 1);
    status["initContainerStatuses"] =
        Json::array({{{"name", "fetch"},
                      {"state",
                       {{"terminated",
                         {{"exitCode", 0}, {"reason", "Completed"}, {"message", R"({"digest":"sha256:c0ffee"})"}}}}}}});
  }
  if (!loads) {
    const Json words = {{"error", "ModelLoadFailed"}, {"message", broken[version_of(deployment)]}};
    status["containerStatuses"] = Json::array(
        {{{"name", "runtime"},
          {"restartCount", 3},
          {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}},
          {"lastState", {{"terminated", {{"exitCode", 1}, {"reason", "Error"}, {"message", words.dump()}}}}}}});
  }
  status["conditions"] = conditions;
  Json pod = {
      {"metadata",
       {{"name", key.name}, {"namespace", key.ns}, {"labels", deployment["spec"]["template"]["metadata"]["labels"]}}},
      {"status", status}};
  api_server.put(kube::resources::pods(), pod);
}

void OperatorWorld::run_users(absl::Duration step) {
  const api::ModelDeployment digits = object();
  for (const api::TrafficShare& share : digits.status.traffic) {
    const auto deployment = api_server.get(kube::resources::deployments(), {"demo", share.revision});
    if (!deployment) continue;
    const Behaviour behaviour = behaviours[version_of(*deployment)];
    FakeNetwork::Counts& counts = network.counts[base::cat("demo/digits/", share.revision)];
    const double requests = requests_per_second * absl::ToDoubleSeconds(step) * share.weight / 100;
    counts.requests += requests;
    counts.errors += requests * behaviour.errors;
    counts.by_microseconds[static_cast<int64_t>(behaviour.milliseconds * 1000)] += requests;
  }
}

void OperatorWorld::note_weights() {
  const auto json = api_server.get(model_deployments(), kDigits);
  if (!json) return;
  std::string weights;
  for (const Json& share : kube::array_at(*json, {"status", "traffic"})) {
    weights += base::cat(weights.empty() ? "" : " ", kube::string_at(share, {"revision"}), ":",
                         kube::int_at(share, {"weight"}));
  }
  if (weights.empty() || (!weights_written.empty() && weights_written.back() == weights)) return;
  weights_written.push_back(weights);
}

std::vector<std::string> OperatorWorld::event_reasons() const {
  std::vector<std::string> reasons;
  for (const Json& event : api_server.all(kube::resources::events())) {
    reasons.push_back(kube::string_at(event, {"reason"}));
  }
  return reasons;
}

}  // namespace tidegate::operator_
