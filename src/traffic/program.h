// What the operator wants the gateways to do for one ModelDeployment, in the operator's own words: which revisions
// there are, where they listen, and how requests are shared out. The operator makes one Program for each object out
// of spec.traffic, status.traffic and the serving pods; traffic::build (build.h) turns all of them into one Snapshot.
#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidegate::traffic {

// A serving pod that is ready. `address` is an IP address.
struct Endpoint {
  std::string address;
  uint16_t rest_port = 8501;  // HTTP/1.1; 0: this pod does not answer it
  uint16_t grpc_port = 8500;  // HTTP/2 without TLS; 0: this pod does not answer it

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Revision {
  std::string name;                 // "<object>-<8 hex>": the Deployment's name
  int weight = 0;                   // per cent of requests, 0–100; the weights of a Program sum to 100, or are all 0
  std::vector<Endpoint> endpoints;  // order does not matter

  friend bool operator==(const Revision&, const Revision&) = default;
};

struct Program {
  std::string namespace_;
  std::string name;
  std::string uid;
  absl::Time created;  // decides, with uid, who keeps a host name that two objects claim: the older
  // Kubernetes' decimal resourceVersion of the object that this program was made from.
  std::string resource_version;

  std::vector<Revision> revisions;             // order does not matter
  absl::Duration timeout = absl::Seconds(30);  // of one request, > 0
  int retries = 1;                 // 0–10, on refused connections and refused streams only: never a second inference
  int max_concurrency = 1000;      // requests at once to one revision through one gateway; more are answered 503
  std::vector<std::string> hosts;  // further names beside <name>.<namespace>[.svc[.<cluster domain>]]

  friend bool operator==(const Program&, const Program&) = default;
};

// Whether they ask for the same: all but resource_version, which rises with every write to the object, is equal.
bool asks_the_same(const Program& a, const Program& b);

// "<namespace>/<name>/<revision>": the Envoy cluster of a revision's HTTP/1.1 port, and the key of its statistics.
std::string cluster_name(const std::string& namespace_, const std::string& name, const std::string& revision);
// The same with "/grpc": the cluster of its gRPC port.
std::string grpc_cluster_name(const std::string& namespace_, const std::string& name, const std::string& revision);

// The number in a resourceVersion. Kubernetes compares them as unsigned 64-bit numbers; nothing if it is none.
std::optional<uint64_t> parse_resource_version(const std::string& text);

}  // namespace tidegate::traffic
