#pragma once
// The Open Inference Protocol's gRPC messages of inference over the servables: request in, response and status out, no
// gRPC in sight. Those that describe models are in descriptions.h.
#include <absl/status/status.h>

#include "open_inference.pb.h"
#include "serving-runtime/core/inference.h"

namespace tidegate::serving::oip {

// Inputs come raw or typed, never mixed; outputs go out raw, as Triton's do. `inference` gets its version whenever that
// can be found, also when the rest fails.
absl::Status model_infer(const ServableFinder& servables, const inference::ModelInferRequest& request,
                         inference::ModelInferResponse& response, Inference& inference);

// One request of a stream, as model_infer.
absl::Status stream_infer(const ServableFinder& servables, const inference::ModelInferRequest& request,
                          inference::ModelStreamInferResponse& response, Inference& inference);
// The answer of a stream to a request that failed, or is not run: an error does not end the stream.
void refuse(const inference::ModelInferRequest& request, const absl::Status& error,
            inference::ModelStreamInferResponse& response);

}  // namespace tidegate::serving::oip
