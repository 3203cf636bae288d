#pragma once
// Which bytes are text, as JSON and error messages must be.
#include <string>
#include <string_view>

namespace tidegate::serving {

bool is_utf8(std::string_view bytes);
// The bytes with U+FFFD in the place of each one that belongs to no character.
std::string to_utf8(std::string_view bytes);
// Text of at most `longest` bytes as it is; of longer text what fits, whole characters, and "…".
std::string shortened(std::string_view text, size_t longest);

}  // namespace tidegate::serving
