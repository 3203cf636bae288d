#pragma once
// The whole operator in one process with everything around it made up: an API server in memory, a kubelet that makes
// pods of Deployments, gateways that apply what is published and count users' requests, a bucket with model versions,
// and a clock that moves by hand. Only the xDS server is real, on a free port of the loopback.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/types.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "kube/fake_api_server.h"
#include "operator/process.h"

namespace tidegate::operator_ {

// What the requests of one revision come to.
struct Behaviour {
  double errors = 0;  // share of requests that end with 500
  double milliseconds = 10;
};

// Answers for the store and for the gateways' statistics.
class FakeNetwork : public net::HttpClient {
 public:
  struct Counts {
    double requests = 0;
    double errors = 0;
    std::map<int64_t, double> by_microseconds;
  };

  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope& scope) override;

  std::map<std::string, std::string> objects;              // key → ETag, of the bucket `models`
  std::optional<std::pair<int, std::string>> store_fault;  // HTTP status and S3 error code for every listing
  bool gateways_reachable = true;
  uint64_t applied = 0;                  // by the gateways
  absl::Time started;                    // the gateways
  std::map<std::string, Counts> counts;  // by "<ns>/<name>/<revision>", since the gateways' start
  base::Clock* clock = nullptr;
  int listings = 0;

 private:
  net::HttpResponse list(const std::string& url);
  net::HttpResponse statistics() const;
};

// The way of one replica to the API server; while it is cut, nothing gets through. Its watches may stand still: open,
// and silent for good.
class ApiServerLine : public net::HttpClient {
 public:
  explicit ApiServerLine(kube::FakeApiServer& server) : server_(server) {}
  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope& scope) override;

  bool cut = false;
  // Those that are open now.
  void silence_watches() { *std::exchange(silent_, std::make_shared<bool>(false)) = true; }

 private:
  kube::FakeApiServer& server_;
  std::shared_ptr<bool> silent_ = std::make_shared<bool>(false);
};

// The webhook's HTTPS server of one replica, without the network.
struct WebhookPort {
  net::ServerTls tls;
  net::Handler handler;
};

class OperatorWorld {
 public:
  OperatorWorld();
  ~OperatorWorld();

  // Another replica, or the next life of one.
  void start_operator();
  // Ends the replica that leads (or the last one) at once, wherever it is: nothing of what it still does arrives.
  void kill_leader();
  // Cuts the leader off from the API server, or lets all through again.
  void cut_off_leader();
  void mend();
  // The open watches of those that do not lead bring nothing any more.
  void silence_standbys();

  void put_version(const std::string& version, const std::string& etag = "e");
  void apply(const nlohmann::json& spec);
  void erase();
  void annotate(const std::string& name, const std::string& value);

  // Moves the clock, and with it kubelet, gateways and users, in steps of a quarter of a second.
  void pass(absl::Duration duration);
  // Passes time until `holds` does; false when it does not within `limit`.
  bool pass_until(const std::function<bool()>& holds, absl::Duration limit = absl::Minutes(20));

  api::ModelDeployment object() const;
  const api::Condition* condition(const std::string& type);
  std::vector<std::string> event_reasons() const;
  // Of the replica that leads.
  std::string debug_page();
  std::string metrics_page();
  bool ready();
  // What the webhook of a replica (0: the first) answers to a review, as JSON.
  nlohmann::json ask_webhook(size_t replica, const nlohmann::json& review);
  const net::ServerTls& webhook_tls(size_t replica) const { return replicas_.at(replica)->webhook->tls; }
  // How many replicas believe that they lead.
  int leaders();

  base::Loop loop;
  base::ManualClock clock;
  base::SeededRandom random{1};
  kube::FakeApiServer api_server{clock};
  FakeNetwork network;
  std::map<std::string, Behaviour> behaviours;  // by version
  std::map<std::string, std::string> broken;    // versions that do not load → the runtime's words
  double requests_per_second = 200;
  bool pods_can_be_scheduled = true;
  absl::Duration pod_start = absl::Seconds(1);
  // Weights of each write of status.traffic, in order: "digits-a:75 digits-b:25".
  std::vector<std::string> weights_written;

 private:
  void settle();
  void run_kubelet();
  void make_pod(const kube::Json& deployment, int index);
  void run_users(absl::Duration step);
  void note_weights();

  struct Replica {
    std::unique_ptr<ApiServerLine> line;
    std::unique_ptr<base::Scope> scope;
    std::shared_ptr<WebhookPort> webhook = std::make_shared<WebhookPort>();
    std::unique_ptr<Process> process;
    bool running = false;
  };
  Replica& leader();
  void kill(Replica& replica);

  std::vector<std::unique_ptr<Replica>> replicas_;  // those that ended, too: their tasks may still be unwinding
  std::map<base::ObjectKey, absl::Time> pod_made_;
  api::ModelDeployment condition_source_;
  int lives_ = 0;
};

}  // namespace tidegate::operator_
