#pragma once
// What this process has allocated. The libraries that are opened at run time allocate from the same heap: tcmalloc's
// (docs/adr/0009), or that of a sanitizer, of which nothing is known here.
#include <cstdint>

namespace tidegate::serving {

// Bytes that are allocated and not freed; 0 in builds with a sanitizer. Takes the allocator's locks for a moment: for
// loads, not for requests. Any thread.
uint64_t heap_in_use();

// Gives back to the system what is free, in pieces, so that whoever allocates meanwhile waits for one of them at most.
// Takes milliseconds. Any thread.
void return_free_heap();

}  // namespace tidegate::serving
