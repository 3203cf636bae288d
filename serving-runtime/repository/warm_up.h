#pragma once
// The first runs of a version, before anybody waits for them: TensorFlow compiles and allocates on them.
#include <absl/status/status.h>

#include <string>
#include <vector>

#include "serving-runtime/core/servable.h"

namespace tidegate::serving {

struct WarmUpReport {
  int recorded = 0;   // requests of assets.extra/tf_serving_warmup_requests that were replayed
  int synthetic = 0;  // requests made of zeros from the signatures, when there is no such file
  std::vector<std::string> refused;  // signatures that an input of zeros made fail: no error, zeros may be bad input
};

// A request that was recorded: which signature and with what.
struct RecordedRequest {
  std::string signature_name;
  std::vector<NamedTensor> inputs;
};

// Replays the folder's recorded requests; without any, runs each signature once on zeros with every open dimension 1.
// An error of a recorded request is returned: its owner says that it must work.
absl::Status warm_up(const Servable& servable, WarmUpReport& report);

// Zeros (or empty strings) of that shape; open dimensions become 1, an unknown rank a scalar.
Tensor zeros(const model::TensorSpec& spec);

}  // namespace tidegate::serving
