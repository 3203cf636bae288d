#pragma once
// Which model to load or to unload next, so that all that are loaded fit into a budget of memory. Pure: what is there
// and what is asked for go in, one action comes out; resident_models.h carries it out and asks again.
//
// First come, first served: models are loaded in the order in which they were asked for. Room is made by the one that
// was used longest ago; one with a request in flight stays, and whoever asks for another waits until there is room.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace tidegate::serving {

enum class Presence { kAbsent, kLoading, kResident, kUnloading };

struct ModelResidence {
  Presence presence = Presence::kAbsent;
  // What it takes; of one that is absent, what it is expected to take. Unset: not known yet, so it cannot be loaded.
  std::optional<uint64_t> bytes;
  size_t uses = 0;         // requests in flight
  uint64_t last_used = 0;  // a count that rises with each use of any model
  uint64_t asked = 0;      // on that count: when the first of those came who wait for it; 0: nobody waits
};
using ModelResidences = std::map<std::string, ModelResidence, std::less<>>;

enum class ResidencyStep { kLoad, kUnload, kRefuse };
struct ResidencyAction {
  ResidencyStep step;
  std::string model;
};

// kRefuse: it is asked for and will never fit. Nothing: there is nothing to do until something changes.
std::optional<ResidencyAction> next_residency_action(const ModelResidences& models, uint64_t max_bytes);

}  // namespace tidegate::serving
