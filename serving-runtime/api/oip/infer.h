#pragma once
// What a decoded inference request does, whichever door it came through. Called by rest_api.h and grpc_messages.h.
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "serving-runtime/api/oip/parameters.h"
#include "serving-runtime/core/inference.h"

namespace tidegate::serving::oip {

struct WantedOutput {
  std::string name;
  uint64_t classes = 0;  // so many of its largest elements in its place (classification.h); 0: the output itself
};

// Runs the version that `inference` has chosen. `wanted`: outputs in the order of the answer; empty means all.
// INVALID_ARGUMENT names the input or output that is there twice, of a wrong type, or of a type without a name in the
// protocol; DEADLINE_EXCEEDED when the request waited longer than its `timeout`.
absl::StatusOr<std::vector<NamedTensor>> infer(Inference& inference, const RequestParameters& parameters,
                                               std::vector<NamedTensor> inputs, std::vector<WantedOutput> wanted);

}  // namespace tidegate::serving::oip
