#pragma once
// How much this process has allocated and not freed.
#include <cstdint>

namespace tidegate::serving {

// Bytes, of all threads' arenas and of what was mapped for single large blocks. Libraries that are opened at run time
// allocate from the same heap. Takes each arena's lock for a moment: for loads, not for requests. Any thread.
uint64_t heap_in_use();

}  // namespace tidegate::serving
