#include "serving-runtime/api/percent.h"

#include <charconv>

namespace tidegate::serving {

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned char byte = 0;
    std::string_view digits = text.substr(i + 1, 2);
    auto end = digits.data() + digits.size();
    auto parsed = std::from_chars(digits.data(), end, byte, 16);
    if (digits.size() != 2 || parsed.ec != std::errc() || parsed.ptr != end || byte == 0) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

}  // namespace tidegate::serving
