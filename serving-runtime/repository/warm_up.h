#pragma once
// The first runs of a version, before anybody waits for them: TensorFlow compiles and allocates on them.
#include <absl/status/status.h>

#include <string>
#include <vector>

#include "serving-runtime/core/servable.h"

namespace tidegate::serving {

struct WarmUpReport {
  int recorded = 0;                  // requests of assets.extra/tf_serving_warmup_requests that were replayed
  int synthetic = 0;                 // requests made of zeros from the signatures, when there is no such file
  std::vector<std::string> refused;  // signatures that called zeros bad input, which they may be: no error
};

// Replays the folder's recorded requests, all of them `iterations` times; without any, runs each signature once on
// zeros with every open dimension 1. An error of a recorded request is returned: its owner says that it must work. Of
// the errors on zeros those are returned that no input could mend: FAILED_PRECONDITION, NOT_FOUND, UNIMPLEMENTED
// (variables or kernels are missing).
absl::Status warm_up(const Servable& servable, WarmUpReport& report, uint32_t iterations = 1);

// Zeros (or empty strings) of that shape; open dimensions become 1, an unknown rank a scalar.
Tensor zeros(const model::TensorSpec& spec);

}  // namespace tidegate::serving
