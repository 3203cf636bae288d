#include "serving-runtime/repository/heap_in_use.h"

#include <malloc.h>

namespace tidegate::serving {

uint64_t heap_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace tidegate::serving
