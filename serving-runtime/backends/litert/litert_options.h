#pragma once
// How models are run: the options that the host hands to the backend's open().
#include <cstdint>
#include <string>

#include "serving-runtime/backends/backend_support.h"

namespace tidegate::serving::litert {

struct LitertOptions {
  std::string library_dir;  // of libLiteRt.so; empty: looked for near the backend
  int threads = 1;          // inside one run
  int instances = 1;        // runs of a model at once; each has an interpreter of its own
  bool xnnpack = true;      // false: TFLite's own kernels
  bool raw_io = false;      // true: quantised inputs and outputs are the model's integers, not floats
};

// INVALID_ARGUMENT for an option that there is not, or a value that it cannot have.
Failure apply_option(const std::string& key, const std::string& value, LitertOptions& options);

}  // namespace tidegate::serving::litert
