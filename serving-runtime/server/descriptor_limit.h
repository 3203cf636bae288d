#pragma once
// How many connections and files a process may have open. Called by serve/ports.h.
#include <cstdint>

namespace tidegate::serving {

// Raises this process's own limit as far as the system permits: many systems start processes with 1,024 descriptors and
// let them have half a million. Returns what it is then.
uint64_t raise_descriptor_limit();

}  // namespace tidegate::serving
