#include "serving-runtime/repository/heap.h"

#ifdef TIDEGATE_TCMALLOC
#include <gperftools/malloc_extension.h>

#include <algorithm>
#endif

namespace tidegate::serving {

#ifdef TIDEGATE_TCMALLOC

namespace {

size_t property(const char* name) {
  size_t value = 0;
  MallocExtension::instance()->GetNumericProperty(name, &value);
  return value;
}

}  // namespace

uint64_t heap_in_use() { return property("generic.current_allocated_bytes"); }

void return_free_heap() {
  // tcmalloc holds the lock of all large blocks while it returns a piece.
  constexpr size_t kPieceBytes = 1 << 20;
  for (size_t left = property("tcmalloc.pageheap_free_bytes"); left > 0; left -= std::min(left, kPieceBytes)) {
    MallocExtension::instance()->ReleaseToSystem(kPieceBytes);
  }
}

#else

uint64_t heap_in_use() { return 0; }
void return_free_heap() {}

#endif

}  // namespace tidegate::serving
