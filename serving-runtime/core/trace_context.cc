#include "serving-runtime/core/trace_context.h"

#include <algorithm>

namespace tidegate::serving {
namespace {

// version "-" trace-id "-" parent-id "-" flags, of so many digits each.
constexpr size_t kVersion = 2, kTraceId = 32, kParentId = 16, kFlags = 2;
constexpr size_t kLength = kVersion + 1 + kTraceId + 1 + kParentId + 1 + kFlags;

// Takes `digits` lower-case hexadecimal digits off the front; empty when they are not there.
std::string_view take_hex(std::string_view& text, size_t digits) {
  const std::string_view part = text.substr(0, digits);
  const bool hex = part.size() == digits && std::all_of(part.begin(), part.end(), [](char c) {
                     return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                   });
  text.remove_prefix(std::min(text.size(), digits + 1));
  return hex ? part : std::string_view();
}

bool is_zero(std::string_view digits) { return digits.find_first_not_of('0') == std::string_view::npos; }

}  // namespace

std::string_view valid_traceparent(std::string_view header) {
  if (header.size() < kLength) return {};
  for (const size_t dash : {kVersion, kVersion + 1 + kTraceId, kLength - kFlags - 1}) {
    if (header[dash] != '-') return {};
  }
  std::string_view rest = header;
  const std::string_view version = take_hex(rest, kVersion);
  const std::string_view trace = take_hex(rest, kTraceId);
  const std::string_view parent = take_hex(rest, kParentId);
  const std::string_view flags = take_hex(rest, kFlags);
  if (version.empty() || version == "ff" || flags.empty()) return {};
  if (is_zero(trace) || is_zero(parent)) return {};  // so are those that are no digits
  if (header.size() == kLength) return header;
  if (version == "00" || header[kLength] != '-') return {};
  // What a later version appends is not known, but it is sent on: a line break would begin a header of its own.
  const std::string_view appended = header.substr(kLength);
  const bool plain = std::all_of(appended.begin(), appended.end(), [](char c) { return c > ' ' && c <= '~'; });
  return plain ? header : std::string_view();
}

}  // namespace tidegate::serving
