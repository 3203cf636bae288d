#pragma once
// What backends have in common beside the interface that backend_face.h makes of them: failures, options, the host's
// inputs, and where the library that they open may be. Compiled into each backend; free of libraries, as they are.
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "serving-runtime/core/backend_abi.h"

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

// Each of them by the apply_option(key, value, options) that is declared beside `Options`; the first failure.
template <class Options>
Failure apply_options(std::span<const TidegateOption> given, Options& options) {
  for (const TidegateOption& option : given) {
    if (Failure failure = apply_option(option.key, option.value, options); !failure.ok()) return failure;
  }
  return {};
}

// Where to look for the library, in this order: `chosen` alone when it is not empty; else beside this shared object, in
// the folder ../`library` from there, as images have it, and where the build tree that made this object found it.
std::vector<std::string> library_folders(const std::string& chosen, const std::string& library);

// Whoever made the tensor gets it back.
inline void release(const TidegateTensor& tensor) {
  if (tensor.release) tensor.release(tensor.owner);
}

// Gives the host its inputs back, however the run ends.
class BorrowedInputs {
 public:
  explicit BorrowedInputs(std::span<const TidegateTensor> tensors) : tensors_(tensors) {}
  BorrowedInputs(const BorrowedInputs&) = delete;
  BorrowedInputs& operator=(const BorrowedInputs&) = delete;
  ~BorrowedInputs() { std::for_each(tensors_.begin(), tensors_.end(), release); }

 private:
  std::span<const TidegateTensor> tensors_;
};

// "a, b"
std::string join(const std::vector<std::string>& words);

}  // namespace tidegate::serving
