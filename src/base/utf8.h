#pragma once
// Characters as bytes: which bytes are text, as JSON and error messages must be.
#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::base {

// Appends the character of that code point, at most U+10FFFF.
inline void append_utf8(std::string& out, uint32_t code) {
  const auto tail = [&out, code](int shift) { out.push_back(static_cast<char>(0x80 | (code >> shift & 0x3f))); };
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0 | code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | code >> 12));
    tail(6), tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | code >> 18));
    tail(12), tail(6), tail(0);
  }
}

bool is_utf8(std::string_view bytes);
// The bytes with U+FFFD in the place of each one that belongs to no character.
std::string to_utf8(std::string_view bytes);
// Text of at most `longest` bytes as it is; of longer text what fits, whole characters, and "…".
std::string shortened(std::string_view text, size_t longest);

}  // namespace tidegate::base
