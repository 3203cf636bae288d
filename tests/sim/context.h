#pragma once
// What every part of the simulated world shares: the agenda, the trace and the one source of chance.
#include <absl/time/time.h>

#include <cstdint>
#include <string_view>

#include "base/random.h"
#include "sim/schedule.h"
#include "sim/trace.h"

namespace tidegate::sim {

struct Context {
  explicit Context(uint64_t seed) : random(seed) {}

  static absl::Time start() { return absl::FromUnixSeconds(1'700'000'000); }
  absl::Time now() const { return schedule.now(); }
  bool chance(double probability) { return random.uniform() < probability; }
  // Uniform in [low, high).
  absl::Duration between(absl::Duration low, absl::Duration high) { return low + random.uniform() * (high - low); }
  // Uniform in [0, count); count > 0.
  int pick(int count) { return static_cast<int>(random.next() % static_cast<uint64_t>(count)); }
  void note(std::string_view who, std::string_view what) { trace.note(now(), who, what); }

  Schedule schedule{start()};
  Trace trace{start()};
  base::SeededRandom random;
};

}  // namespace tidegate::sim
