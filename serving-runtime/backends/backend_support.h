#pragma once
// What every backend needs to speak backend_abi.h: errors as code and text, no exception across it, and where the
// library that it opens may be. Compiled into each backend; free of libraries, as they are.
#include <exception>
#include <string>
#include <vector>

#include "serving-runtime/backends/backend_abi.h"

namespace tidegate::serving {

// Canonical codes that backends give.
inline constexpr TidegateCode kCancelled = 1;
inline constexpr TidegateCode kInvalidArgument = 3;
inline constexpr TidegateCode kNotFound = 5;
inline constexpr TidegateCode kFailedPrecondition = 9;
inline constexpr TidegateCode kUnimplemented = 12;
inline constexpr TidegateCode kInternal = 13;
inline constexpr TidegateCode kDataLoss = 15;

// A code and its text; the default is success.
struct Failure {
  TidegateCode code = 0;
  std::string message;
  bool ok() const { return code == 0; }
};

// Puts the text where the host wants it, cut to its room, and returns the code.
TidegateCode report(const Failure& failure, TidegateError* error);

// Reports what `function` returns; an exception becomes INTERNAL in the name of `backend`.
template <class Function>
TidegateCode guarded(const char* backend, TidegateError* error, Function function) noexcept {
  try {
    return report(function(), error);
  } catch (const std::exception& caught) {
    return report({kInternal, std::string(backend) + " backend: " + caught.what()}, error);
  } catch (...) {
    return report({kInternal, std::string(backend) + " backend: unknown exception"}, error);
  }
}

// Where to look for the library, in this order: `chosen` alone when it is not empty; else beside this shared object, in
// the folder ../`library` from there, as images have it, and in `build_tree`, unless that is empty.
std::vector<std::string> library_folders(const std::string& chosen, const std::string& library,
                                         const std::string& build_tree);

// What the entry answers a host of that version and size: null when the two do not fit.
const TidegateBackendApi* offer(const TidegateBackendApi& api, uint32_t host_abi_version, uint64_t host_struct_size);

// "a, b"
std::string join(const std::vector<std::string>& words);

}  // namespace tidegate::serving
