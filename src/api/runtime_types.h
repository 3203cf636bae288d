#pragma once
// ServingRuntime and ClusterServingRuntime: how a model server is run. crds/*.yaml is the source of truth; json.h reads
// them, operator/rendering turns them into pods.

#include <string>
#include <vector>

#include "api/types.h"

namespace tidegate::api {

inline constexpr char kServingRuntimeKind[] = "ServingRuntime";
inline constexpr char kClusterServingRuntimeKind[] = "ClusterServingRuntime";

enum class ModelFormat {
  kSavedModel,
  kOnnx,
  kTflite,
};

struct SupportedFormat {
  ModelFormat name = ModelFormat::kSavedModel;
  bool auto_select = true;  // may be chosen for a ModelDeployment that names no runtime
  int priority = 0;         // among several that may be chosen, the highest wins, then the first by name

  friend bool operator==(const SupportedFormat&, const SupportedFormat&) = default;
};

enum class PullPolicy { kAlways, kIfNotPresent, kNever };

// In `args` and in the values of `env` these are replaced: {{model.name}}, {{model.version}} and {{model.dir}}, the
// folder that holds one folder a version.
struct RuntimeContainer {
  std::string image;
  PullPolicy image_pull_policy = PullPolicy::kIfNotPresent;
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::vector<EnvVar> env;
  Resources resources;

  friend bool operator==(const RuntimeContainer&, const RuntimeContainer&) = default;
};

struct FetchContainer {
  std::string image;  // carries `tidegate-runtime fetch`

  friend bool operator==(const FetchContainer&, const FetchContainer&) = default;
};

struct RuntimeProbes {
  std::string readiness = "/v2/health/ready";  // 200 only after the model is loaded and warm
  std::string liveness = "/v2/health/live";

  friend bool operator==(const RuntimeProbes&, const RuntimeProbes&) = default;
};

struct ServingRuntimeSpec {
  std::vector<SupportedFormat> supported_formats;
  RuntimeContainer container;
  FetchContainer fetch;
  RuntimeProbes probes;
  absl::Duration termination_grace_period = absl::Seconds(45);

  friend bool operator==(const ServingRuntimeSpec&, const ServingRuntimeSpec&) = default;
};

struct ServingRuntime {
  bool cluster_scoped = false;
  ObjectMeta metadata;
  ServingRuntimeSpec spec;

  friend bool operator==(const ServingRuntime&, const ServingRuntime&) = default;
};

}  // namespace tidegate::api
