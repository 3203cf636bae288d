#pragma once
// What every fuzz target uses: a target is a file with LLVMFuzzerTestOneInput(), which gives one decoder bytes that
// anybody could have sent. Sanitizers find what is undefined; require() says what must hold beyond that.
#include <absl/status/status.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace tidegate::fuzz {

// Ends the process, which the fuzzer records with the input that led here.
inline void require(bool holds, std::string_view what, std::string_view detail = {}) {
  if (holds) return;
  std::cerr << "violated: " << what << '\n' << detail << '\n';
  std::abort();
}

// Whoever sends something wrong must be told so, as against a fault of the server's (INTERNAL, UNKNOWN, DATA_LOSS).
inline void require_client_error(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kDeadlineExceeded:
      return require(!status.message().empty(), "an error says what is wrong");
    default:
      require(false, "bad input is the client's fault", status.ToString());
  }
}

inline std::string_view as_text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// What stands before the first `end`, which is taken off `rest` with it; all of `rest` when there is none.
inline std::string_view take_until(std::string_view& rest, char end) {
  size_t at = std::min(rest.find(end), rest.size());
  std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return taken;
}

}  // namespace tidegate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
