#include "operator/controllers/modeldeployment/runtime_choice.h"

#include "api/fields.h"
#include "base/strings.h"

namespace tidegate::operator_ {
namespace {

using rollout::ResolveError;
using RuntimeStore = kube::Store<api::ServingRuntime>;

const api::SupportedFormat* support(const api::ServingRuntime& runtime, api::ModelFormat format) {
  for (const api::SupportedFormat& supported : runtime.spec.supported_formats) {
    if (supported.name == format) return &supported;
  }
  return nullptr;
}

std::variant<RuntimePointer, ResolveError> named(const std::string& ns, const std::string& name,
                                                 api::ModelFormat format, const RuntimeStore& runtimes,
                                                 const RuntimeStore& cluster_runtimes) {
  RuntimePointer runtime = runtimes.get({ns, name});
  if (!runtime) runtime = cluster_runtimes.get({"", name});
  if (!runtime) {
    return ResolveError{"RuntimeNotFound",
                        base::cat("there is no ServingRuntime ", name, " in namespace ", ns,
                                  " and no ClusterServingRuntime ", name, "; correct spec.runtime.name or create it")};
  }
  if (support(*runtime, format) == nullptr) {
    return ResolveError{"FormatNotSupported", base::cat("runtime ", name, " does not serve ", api::enum_name(format),
                                                        " models; name another in spec.runtime.name")};
  }
  return runtime;
}

// The higher priority; of equal ones the first by name, because the stores are in that order.
void consider(const RuntimePointer& candidate, api::ModelFormat format, RuntimePointer& best) {
  const api::SupportedFormat* supported = support(*candidate, format);
  if (supported == nullptr || !supported->auto_select) return;
  if (!best || supported->priority > support(*best, format)->priority) best = candidate;
}

}  // namespace

std::variant<RuntimePointer, ResolveError> choose_runtime(const std::string& ns, const std::string& name,
                                                          api::ModelFormat format, const RuntimeStore& runtimes,
                                                          const RuntimeStore& cluster_runtimes) {
  if (!name.empty()) return named(ns, name, format, runtimes, cluster_runtimes);
  RuntimePointer best;
  for (const auto& [key, runtime] : runtimes.list()) {
    if (key.ns == ns) consider(runtime, format, best);
  }
  if (best) return best;  // a namespace's own come before the cluster's
  for (const auto& [key, runtime] : cluster_runtimes.list()) consider(runtime, format, best);
  if (best) return best;
  return ResolveError{"RuntimeNotFound",
                      base::cat("no runtime that may be chosen by itself serves ", api::enum_name(format),
                                " models; install a ClusterServingRuntime for it")};
}

}  // namespace tidegate::operator_
