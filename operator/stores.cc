#include "operator/stores.h"

#include <algorithm>

#include "api/json.h"
#include "base/strings.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {

const kube::GroupVersionResource& model_deployments() {
  static const kube::GroupVersionResource resource{api::kGroup, api::kVersion, "modeldeployments",
                                                   api::kModelDeploymentKind};
  return resource;
}

const kube::GroupVersionResource& serving_runtimes() {
  static const kube::GroupVersionResource resource{api::kGroup, api::kVersion, "servingruntimes",
                                                   api::kServingRuntimeKind};
  return resource;
}

const kube::GroupVersionResource& cluster_serving_runtimes() {
  static const kube::GroupVersionResource resource{api::kGroup, api::kVersion, "clusterservingruntimes",
                                                   api::kClusterServingRuntimeKind, false};
  return resource;
}

absl::StatusOr<Service> decode_service(const kube::JsonView& object) {
  absl::StatusOr<kube::ObjectMeta> meta = kube::decode_meta(object);
  if (!meta.ok()) return meta.status();
  return Service{*std::move(meta), kube::string_at(object, {"spec", "type"}),
                 kube::string_at(object, {"spec", "externalName"})};
}

std::string model_deployment_of(const kube::ObjectMeta& meta) {
  return base::cat(meta.ns, "/", meta.label(kDeploymentLabel));
}

Stores::Stores(kube::Client& client, base::Clock& clock, base::Random& random, const std::string& system_namespace,
               base::BackgroundThread* background)
    : models("modeldeployments", api::parse_model_deployment, clock),
      runtimes("servingruntimes", api::parse_serving_runtime, clock),
      cluster_runtimes("clusterservingruntimes", api::parse_serving_runtime, clock),
      deployments("deployments", kube::decode_deployment, clock),
      serving_pods("pods", kube::decode_pod, clock),
      gateway_pods("gateway pods", kube::decode_pod, clock),
      services("services", decode_service, clock),
      clock_(clock),
      random_(random),
      background_(background) {
  const std::string ours = base::cat(kManagedByLabel, "=", kManagedByValue, ",", kDeploymentLabel);
  const std::string gateways = base::cat("app.kubernetes.io/part-of=tidegate,", kGatewayLabel, "=", kGatewayValue);
  watch(client, model_deployments(), models, "", "");
  watch(client, serving_runtimes(), runtimes, "", "");
  watch(client, cluster_serving_runtimes(), cluster_runtimes, "", "");
  watch(client, kube::resources::deployments(), deployments, "", ours);
  watch(client, kube::resources::pods(), serving_pods, "", ours);
  watch(client, kube::resources::pods(), gateway_pods, system_namespace, gateways);
  watch(client, kube::resources::services(), services, "", ours);
  models.add_index(
      kByHost, [](const base::ObjectKey&, const api::ModelDeployment& object) { return object.spec.traffic.hosts; });
  deployments.add_index(kByModelDeployment, [](const base::ObjectKey&, const kube::Deployment& deployment) {
    return std::vector<std::string>{model_deployment_of(deployment.meta)};
  });
  serving_pods.add_index(kByModelDeployment, [](const base::ObjectKey&, const kube::Pod& pod) {
    return std::vector<std::string>{model_deployment_of(pod.meta)};
  });
}

template <class T>
void Stores::watch(kube::Client& client, const kube::GroupVersionResource& resource, kube::Store<T>& store,
                   const std::string& ns, const std::string& label_selector) {
  kube::ReflectorOptions options;
  options.ns = ns;
  options.label_selector = label_selector;
  options.background = background_;
  watched_.push_back({store.name(),
                      std::make_unique<kube::Reflector>(client, resource, options, store, clock_, random_),
                      [&store] { return store.synced(); }, [&store] { return store.age(); }});
}

void Stores::start(base::Loop& loop, base::Scope& scope) {
  for (Watched& watched : watched_) loop.spawn(watched.reflector->run(scope));
}

bool Stores::synced() const {
  return std::all_of(watched_.begin(), watched_.end(), [](const Watched& watched) { return watched.synced(); });
}

std::string Stores::not_synced_because() const {
  for (const Watched& watched : watched_) {
    if (watched.synced()) continue;
    const absl::Status& error = watched.reflector->last_error();
    return base::cat(watched.name, " have not been listed yet", error.ok() ? "" : ": ", error.message());
  }
  return "";
}

void Stores::refresh() {
  for (Watched& watched : watched_) watched.reflector->refresh();
}

bool Stores::fresh() const {
  return std::all_of(watched_.begin(), watched_.end(),
                     [](const Watched& watched) { return watched.reflector->fresh(); });
}

absl::Duration Stores::age() const {
  absl::Duration oldest = absl::ZeroDuration();
  for (const Watched& watched : watched_) oldest = std::max(oldest, watched.age());
  return oldest;
}

}  // namespace tidegate::operator_
