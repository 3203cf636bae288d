#pragma once
// Percent-coding of path segments (RFC 3986).
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::serving {

// Nothing for a malformed escape or a NUL, encoded or not.
std::optional<std::string> percent_decode(std::string_view text);

// Everything but letters, digits and -._~ escaped.
std::string percent_encode(std::string_view text);

}  // namespace tidegate::serving
