#include "operator/webhooks/references.h"

#include <algorithm>
#include <variant>

#include "api/fields.h"
#include "base/strings.h"
#include "operator/controllers/modeldeployment/runtime_choice.h"

namespace tidegate::operator_ {
namespace {

// Another object that claims `host`; one that is being deleted gives it free.
std::string claimed_by(const std::string& host, const base::ObjectKey& self, const Stores& stores) {
  for (const auto& other : stores.models.by_index(kByHost, host)) {
    const base::ObjectKey key{other->metadata.namespace_, other->metadata.name};
    if (key != self && !other->metadata.deletion_timestamp) return key.to_string();
  }
  return "";
}

// The object whose own name <name>.<namespace> the host is.
std::string name_of(const std::string& host, const base::ObjectKey& self, const Stores& stores) {
  const size_t dot = host.find('.');
  if (dot == std::string::npos) return "";
  const base::ObjectKey key{host.substr(dot + 1), host.substr(0, dot)};
  return key == self || stores.models.get(key) ? key.to_string() : "";
}

void find_runtimes(const std::string& ns, const std::string& name, const Stores& stores, References& references) {
  std::string none_because;
  for (const auto& [format, word] : api::enum_names<api::ModelFormat>()) {
    auto chosen = choose_runtime(ns, name, format, stores.runtimes, stores.cluster_runtimes);
    if (auto* error = std::get_if<rollout::ResolveError>(&chosen)) {
      none_because = error->message;
      continue;
    }
    auto& runtime = std::get<RuntimePointer>(chosen);
    auto& found = references.runtimes;
    if (std::find(found.begin(), found.end(), runtime) == found.end()) found.push_back(std::move(runtime));
  }
  if (!references.runtimes.empty()) return;
  references.no_runtime_because =
      name.empty() ? "there is no runtime that may be chosen by itself; install a ClusterServingRuntime" : none_because;
}

}  // namespace

References references_of(const api::ModelDeployment& object, const Stores& stores, const std::string& cluster_domain) {
  const base::ObjectKey self{object.metadata.namespace_, object.metadata.name};
  References references;
  references.cluster_domain = cluster_domain;
  for (const std::string& host : object.spec.traffic.hosts) {
    if (std::string other = claimed_by(host, self, stores); !other.empty()) references.host_claimed_by[host] = other;
    if (std::string named = name_of(host, self, stores); !named.empty()) references.host_is_name_of[host] = named;
  }
  references.name_claimed_by = claimed_by(base::cat(self.name, ".", self.ns), self, stores);
  find_runtimes(self.ns, object.spec.runtime.name, stores, references);
  return references;
}

}  // namespace tidegate::operator_
