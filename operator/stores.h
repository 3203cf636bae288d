#pragma once
// Everything the operator watches, each collection with its reflector. Every replica keeps all of it warm, leader or
// not, so that it can serve xDS and take over without a cold start. main.cc makes it; observe() only reads it.
#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "api/runtime_types.h"
#include "api/types.h"
#include "base/background.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/scope.h"
#include "kube/client.h"
#include "kube/reflector.h"
#include "kube/store.h"
#include "kube/types.h"

namespace tidegate::operator_ {

const kube::GroupVersionResource& model_deployments();
const kube::GroupVersionResource& serving_runtimes();
const kube::GroupVersionResource& cluster_serving_runtimes();

struct Service {
  kube::ObjectMeta meta;
  std::string type;
  std::string external_name;
};
absl::StatusOr<Service> decode_service(const kube::JsonView& object);

// Index of deployments and serving pods by the ModelDeployment that they carry in their label: "<namespace>/<name>".
inline constexpr char kByModelDeployment[] = "model-deployment";
std::string model_deployment_of(const kube::ObjectMeta& meta);

// Index of models by each host of spec.traffic.hosts.
inline constexpr char kByHost[] = "host";

class Stores {
 public:
  // `system_namespace`: where the gateways are. `client`, `clock`, `random` and `background` must outlive it.
  // `background` may be null: the loop reads the lists, then.
  Stores(kube::Client& client, base::Clock& clock, base::Random& random, const std::string& system_namespace,
         base::BackgroundThread* background = nullptr);

  // Starts the reflectors; they end with `scope`.
  void start(base::Loop& loop, base::Scope& scope);
  // Whether every collection has been listed once; if not, which one has not, and its last error.
  bool synced() const;
  std::string not_synced_because() const;
  // Has every collection listed anew, as it is at this moment or later; until then fresh() is false.
  void refresh();
  bool fresh() const;
  // The longest time that one of the collections has been silent: no event, no bookmark.
  absl::Duration age() const;

  kube::Store<api::ModelDeployment> models;
  kube::Store<api::ServingRuntime> runtimes;
  kube::Store<api::ServingRuntime> cluster_runtimes;
  kube::Store<kube::Deployment> deployments;  // of revisions
  kube::Store<kube::Pod> serving_pods;
  kube::Store<kube::Pod> gateway_pods;
  kube::Store<Service> services;  // ours alone

 private:
  struct Watched {
    std::string name;
    std::unique_ptr<kube::Reflector> reflector;
    std::function<bool()> synced;
    std::function<absl::Duration()> age;
  };
  template <class T>
  void watch(kube::Client& client, const kube::GroupVersionResource& resource, kube::Store<T>& store,
             const std::string& ns, const std::string& label_selector);

  base::Clock& clock_;
  base::Random& random_;
  base::BackgroundThread* background_;
  std::vector<Watched> watched_;
};

}  // namespace tidegate::operator_
