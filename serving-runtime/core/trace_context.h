#pragma once
// A request's place in a trace: the header `traceparent` of W3C's Trace Context (https://www.w3.org/TR/trace-context).
// The server begins no spans of its own; it hands the header on to what it writes about the request, and back.
#include <string_view>

namespace tidegate::serving {

inline constexpr const char* kTraceparent = "traceparent";

// The header's value if it is well formed, else empty: a broken one is treated as none. Later versions of the header
// may be longer.
std::string_view valid_traceparent(std::string_view header);

}  // namespace tidegate::serving
