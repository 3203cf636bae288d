#pragma once
// Objects as an API server sends them, managedFields and all, for the benchmarks.
#include <string>

namespace tidegate::bench {

// About 5 kB: one container, the sidecars that `extra_containers` asks for (2 kB each), `index` in its names.
std::string pod_text(int index, int extra_containers = 0);
std::string deployment_text(int index);
// In the middle of a rollout: canary, analysis, history, conditions.
std::string model_deployment_text(int index);

// A line of a watch.
std::string event_line(const std::string& object);

}  // namespace tidegate::bench
