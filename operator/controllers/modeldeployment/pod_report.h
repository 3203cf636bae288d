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

// Ready, and not on its way out: what the proxies may send requests to.
bool is_serving(const kube::Pod& pod);

// The worst that is wrong with one pod at present; nullopt when nothing is.
std::optional<rollout::PodFailure> pod_failure(const kube::Pod& pod);

struct PodReport {
  int serving = 0;
  std::string content_digest;  // "sha256:…" of the first pod, by name, that has fetched; empty before
  std::vector<rollout::PodFailure> failures;
};
// `pods` of one revision; those on their way out are left out of `serving` and `failures`.
PodReport report_of(const std::vector<std::shared_ptr<const kube::Pod>>& pods);

}  // namespace tidegate::operator_
