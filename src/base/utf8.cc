#include "base/utf8.h"

#include <simdjson.h>

#include <algorithm>

namespace tidegate::base {
namespace {

// The length of the character that `bytes`, which are not empty, begin with; 0 when they begin with none.
size_t character_length(std::string_view bytes) {
  auto lead = static_cast<unsigned char>(bytes.front());
  size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return length <= bytes.size() && is_utf8(bytes.substr(0, length)) ? length : 0;
}

}  // namespace

bool is_utf8(std::string_view bytes) { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

std::string to_utf8(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string out;
  while (!bytes.empty()) {
    size_t length = character_length(bytes);
    out += length > 0 ? bytes.substr(0, length) : std::string_view("\xef\xbf\xbd");
    bytes.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string shortened(std::string_view text, size_t longest) {
  if (text.size() <= longest) return std::string(text);
  size_t end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace tidegate::base
