#pragma once
// Text out of pieces. Debian builds Abseil with a string_view of its own, which std::string_view does not convert to,
// so absl::StrCat does not take our string_views: use base::cat. Our interfaces use std::string_view only.
#include <absl/strings/string_view.h>

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace tidegate::base {

inline std::string_view view(absl::string_view text) { return {text.data(), text.size()}; }
inline absl::string_view absl_view(std::string_view text) { return {text.data(), text.size()}; }

inline void append(std::string& out, std::string_view part) { out.append(part); }
inline void append(std::string& out, const char* part) { out.append(part); }
inline void append(std::string& out, const std::string& part) { out.append(part); }
inline void append(std::string& out, absl::string_view part) { out.append(part.data(), part.size()); }
inline void append(std::string& out, char part) { out.push_back(part); }
inline void append(std::string& out, bool part) { out.append(part ? "true" : "false"); }
// Numbers in their shortest exact form, independent of the locale.
template <class Number>
  requires((std::integral<Number> || std::floating_point<Number>) && !std::same_as<Number, char> &&
           !std::same_as<Number, bool>)
void append(std::string& out, Number part) {
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, part).ptr;
  out.append(buffer, end);
}

// The pieces one after another: text, characters, booleans ("true"/"false") and numbers.
template <class... Parts>
std::string cat(const Parts&... parts) {
  std::string out;
  (append(out, parts), ...);
  return out;
}

}  // namespace tidegate::base
