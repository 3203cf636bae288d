#pragma once
// Percent-decoding of path segments.
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::serving {

// Nothing for a malformed escape or an encoded NUL.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace tidegate::serving
