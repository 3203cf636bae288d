#pragma once
// What the pods of a revision say about themselves: how many serve, what went wrong, what was fetched. Pure.
//
// Our containers end with one JSON object in their termination message: fetch {"digest":…} or {"error":…,"message":…},
// serve {"error":"ModelLoadFailed","message":…}. Everything else comes from the kubelet and the scheduler.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kube/types.h"
#include "rollout/observed.h"

namespace tidegate::operator_ {

using PodPointers = std::vector<std::shared_ptr<const kube::Pod>>;

// Which pods of one ModelDeployment the proxies may send requests to: those that are Ready and not on their way out.
//
// If not a single one is, those of which their own kubelet last said that all containers are ready. Kubernetes calls
// all pods of a node NotReady when it has not heard of the node, and hears of none for a while after its API server was
// away; the pods serve all the same, and there is nothing else that requests could be sent to.
class Serving {
 public:
  // `pods`: of all revisions of the object.
  explicit Serving(const PodPointers& pods);
  bool operator()(const kube::Pod& pod) const;

 private:
  bool by_last_word_ = false;
};

// The worst that is wrong with one pod at present; nullopt when nothing is.
std::optional<rollout::PodFailure> pod_failure(const kube::Pod& pod);

// Why the API server takes no pod of it, or no more; nullopt when it does.
std::optional<rollout::PodFailure> creation_failure(const kube::Deployment& deployment);

struct PodReport {
  int serving = 0;
  std::string content_digest;  // "sha256:…" of the first pod, by name, that has fetched; empty before
  std::vector<rollout::PodFailure> failures;
};
// `pods` of one revision; those on their way out are left out of `serving` and `failures`.
PodReport report_of(const PodPointers& pods, const Serving& serves);

}  // namespace tidegate::operator_
