#include "api/types.h"

namespace tidegate::api {

std::vector<Check> default_checks() {
  Check errors;
  errors.name = "errors";
  errors.metric = Metric::kErrorRate;
  errors.max_increase = 0.01;
  Check latency;
  latency.name = "latency";
  latency.metric = Metric::kLatency;
  latency.max_ratio = 1.2;
  return {errors, latency};
}

std::vector<RolloutStep> default_steps() {
  std::vector<RolloutStep> steps(3);
  steps[0].weight = 5;
  steps[1].weight = 25;
  steps[2].weight = 50;
  return steps;
}

}  // namespace tidegate::api
