#include "operator/controllers/modeldeployment/pod_report.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "kube/json.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {
namespace {

using kube::ContainerStatus;
using rollout::PodFailure;
using rollout::PodFailureKind;

// How a container ended last, whether it is still down or was started again.
struct Ending {
  std::string reason;   // the kubelet's: Error, OOMKilled, …
  std::string message;  // the termination message
  int exit_code = 0;
};

std::optional<Ending> last_failed_ending(const ContainerStatus& container) {
  if (container.state == ContainerStatus::State::kTerminated) {
    if (container.exit_code == 0) return std::nullopt;
    return Ending{container.reason, container.message, container.exit_code};
  }
  const auto& last = container.last_termination;
  if (!last || last->exit_code == 0) return std::nullopt;
  return Ending{last->reason, last->message, last->exit_code};
}

// The object that our containers leave; null for any other text.
kube::Json own_words(const std::string& message) {
  kube::Json json = kube::Json::parse(message, nullptr, false);
  return json.is_object() ? json : kube::Json();
}

bool is_image_problem(const std::string& reason) {
  return reason == "ImagePullBackOff" || reason == "ErrImagePull" || reason == "InvalidImageName" ||
         reason == "ErrImageNeverPull" || reason == "ImageInspectError";
}

bool is_configuration_problem(const std::string& reason) {
  return reason == "CreateContainerConfigError" || reason == "CreateContainerError" || reason == "RunContainerError";
}

std::string describe(const Ending& ending, int restarts) {
  std::string text = base::cat("the container ended with exit code ", ending.exit_code);
  if (!ending.reason.empty()) text += base::cat(" (", ending.reason, ")");
  if (restarts > 0) text += base::cat(" and was restarted ", restarts, restarts == 1 ? " time" : " times");
  if (!ending.message.empty()) text += base::cat(": ", ending.message);
  return text;
}

// One end says little: a node was restarted, a device was taken away, a probe came too early.
bool ends_again_and_again(const ContainerStatus& container) {
  return container.reason == "CrashLoopBackOff" || container.restart_count >= 2;
}

std::optional<PodFailure> failure_of_ending(const kube::Pod& pod, const ContainerStatus& container,
                                            const Ending& ending) {
  const kube::Json words = own_words(ending.message);
  const std::string error = kube::string_at(words, {"error"});
  if (!error.empty()) {
    const bool load = container.name == kRuntimeContainer;
    return PodFailure{load ? PodFailureKind::kModelLoadFailed : PodFailureKind::kFetchFailed, pod.meta.name, error,
                      kube::string_at(words, {"message"})};
  }
  if (!ends_again_and_again(container)) return std::nullopt;
  const std::string reason = ending.reason.empty() || ending.reason == "Error" ? "CrashLoopBackOff" : ending.reason;
  return PodFailure{PodFailureKind::kCrashLoop, pod.meta.name, reason, describe(ending, container.restart_count)};
}

std::optional<PodFailure> container_failure(const kube::Pod& pod, const ContainerStatus& container) {
  if (container.ready && !container.init) return std::nullopt;
  if (container.state == ContainerStatus::State::kWaiting) {
    if (is_image_problem(container.reason)) {
      return PodFailure{PodFailureKind::kImagePull, pod.meta.name, container.reason, container.message};
    }
    if (is_configuration_problem(container.reason)) {
      return PodFailure{PodFailureKind::kNotStarted, pod.meta.name, container.reason, container.message};
    }
  }
  const std::optional<Ending> ending = last_failed_ending(container);
  // An init container that is done has no failure any more, however often it was tried.
  const bool done =
      container.init && container.state == ContainerStatus::State::kTerminated && container.exit_code == 0;
  if (!ending || done) return std::nullopt;
  return failure_of_ending(pod, container, *ending);
}

bool may_be_reached(const kube::Pod& pod) { return !pod.meta.deleted && !pod.ip.empty(); }

bool is_ready(const kube::Pod& pod) { return pod.ready && may_be_reached(pod); }

// The node controller takes back a pod's readiness, and leaves what the kubelet said of its containers.
bool was_ready_at_last_word(const kube::Pod& pod) {
  const kube::Condition* containers = pod.condition("ContainersReady");
  return containers != nullptr && containers->status == "True" && pod.phase == "Running" && may_be_reached(pod);
}

}  // namespace

Serving::Serving(const PodPointers& pods)
    : by_last_word_(std::none_of(pods.begin(), pods.end(), [](const auto& pod) { return is_ready(*pod); })) {}

bool Serving::operator()(const kube::Pod& pod) const {
  return is_ready(pod) || (by_last_word_ && was_ready_at_last_word(pod));
}

std::optional<PodFailure> pod_failure(const kube::Pod& pod) {
  for (const ContainerStatus& container : pod.containers) {
    if (auto failure = container_failure(pod, container)) return failure;
  }
  const kube::Condition* scheduled = pod.condition("PodScheduled");
  if (scheduled != nullptr && scheduled->status == "False" && scheduled->reason == "Unschedulable") {
    return PodFailure{PodFailureKind::kUnschedulable, pod.meta.name, scheduled->reason, scheduled->message};
  }
  return std::nullopt;
}

std::optional<PodFailure> creation_failure(const kube::Deployment& deployment) {
  const kube::Condition* failure = deployment.condition("ReplicaFailure");
  if (failure == nullptr || failure->status != "True") return std::nullopt;
  // A quota is capacity that others use: it is waited for, as for a node.
  const bool quota = failure->message.find("exceeded quota") != std::string::npos;
  return PodFailure{quota ? PodFailureKind::kUnschedulable : PodFailureKind::kRefused, "", failure->reason,
                    failure->message};
}

PodReport report_of(const PodPointers& pods, const Serving& serves) {
  PodReport report;
  for (const auto& pod : pods) {
    const ContainerStatus* fetch = pod->container(kFetchContainer);
    if (report.content_digest.empty() && fetch != nullptr && fetch->exit_code == 0) {
      report.content_digest = kube::string_at(own_words(fetch->message), {"digest"});
    }
    // A pod that has ended for good (evicted, say) is replaced by its ReplicaSet and only remembered.
    if (pod->meta.deleted || pod->phase == "Failed" || pod->phase == "Succeeded") continue;
    if (serves(*pod)) ++report.serving;
    if (auto failure = pod_failure(*pod)) report.failures.push_back(*std::move(failure));
  }
  return report;
}

}  // namespace tidegate::operator_
