#pragma once
// What a client sent, in the text of an error: never more than a little of it.
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace tidegate::serving {

// At most 512 bytes of it.
inline std::string quote(std::string_view sent) {
  constexpr size_t kLongest = 512;
  return base::shortened(sent, kLongest);
}

}  // namespace tidegate::serving
