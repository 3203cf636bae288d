#pragma once
// Whether bytes are text that a JSON document can carry.
#include <string_view>

namespace tidegate::serving {

// RFC 3629.
bool is_utf8(std::string_view bytes);

}  // namespace tidegate::serving
