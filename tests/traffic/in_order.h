#pragma once
// Programs as traffic::build wants them: shared, and in the order of their namespaces and names.
#include <algorithm>
#include <memory>
#include <tuple>
#include <vector>

#include "traffic/build.h"

namespace tidegate::traffic {

inline Programs in_order(const std::vector<Program>& programs) {
  Programs shared;
  for (const Program& program : programs) shared.push_back(std::make_shared<const Program>(program));
  std::sort(shared.begin(), shared.end(), [](const auto& a, const auto& b) {
    return std::tie(a->namespace_, a->name) < std::tie(b->namespace_, b->name);
  });
  return shared;
}

}  // namespace tidegate::traffic
