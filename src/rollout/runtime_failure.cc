#include "rollout/runtime_failure.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace tidegate::rollout {
namespace {

using base::cat;

constexpr char kModelLoadFailed[] = "ModelLoadFailed";
constexpr char kCrashLoop[] = "CrashLoop";
constexpr std::array<std::string_view, 3> kBrokenArtefact = {"VersionNotFound", "DigestChanged", "CorruptObject"};

bool is_broken_artefact(std::string_view reason) {
  return std::find(kBrokenArtefact.begin(), kBrokenArtefact.end(), reason) != kBrokenArtefact.end();
}

RuntimeFailure told(const PodFailure& failure, std::string_view reason) {
  if (failure.pod.empty()) return {.reason = std::string(reason), .message = failure.message};
  return {.reason = std::string(reason), .message = cat("pod ", failure.pod, ": ", failure.message)};
}

std::string_view reason_of(const PodFailure& failure) {
  switch (failure.kind) {
    case PodFailureKind::kModelLoadFailed:
      return kModelLoadFailed;
    case PodFailureKind::kCrashLoop:
      return kCrashLoop;
    case PodFailureKind::kImagePull:
      return "ImagePullFailed";
    case PodFailureKind::kUnschedulable:
      return "Unschedulable";
    case PodFailureKind::kRefused:
      return "PodsRefused";
    case PodFailureKind::kNotStarted:
    case PodFailureKind::kFetchFailed:
      break;
  }
  return failure.reason.empty() ? std::string_view("FetchFailed") : std::string_view(failure.reason);
}

}  // namespace

std::optional<RuntimeFailure> fatal_failure(const Workload& workload) {
  for (const PodFailure& failure : workload.failures) {
    const bool dead = failure.kind == PodFailureKind::kModelLoadFailed || failure.kind == PodFailureKind::kCrashLoop;
    // Pods that serve keep the bytes they verified; a later pod that finds other bytes is no fault of theirs.
    const bool broken =
        failure.kind == PodFailureKind::kFetchFailed && is_broken_artefact(failure.reason) && workload.available == 0;
    if (dead || broken) return told(failure, reason_of(failure));
  }
  return std::nullopt;
}

std::optional<RuntimeFailure> any_failure(const Workload& workload) {
  for (const PodFailure& failure : workload.failures) {
    if (failure.kind != PodFailureKind::kUnschedulable) return told(failure, reason_of(failure));
  }
  return std::nullopt;
}

std::string unschedulable_message(const Workload& workload) {
  for (const PodFailure& failure : workload.failures) {
    if (failure.kind == PodFailureKind::kUnschedulable) return failure.message;
  }
  return "";
}

bool is_runtime_reason(std::string_view reason) {
  return reason == kModelLoadFailed || reason == kCrashLoop || is_broken_artefact(reason);
}

}  // namespace tidegate::rollout
