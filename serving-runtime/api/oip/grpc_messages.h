#pragma once
// The Open Inference Protocol's gRPC messages over the servables: request in, response and status out.
#include <absl/status/status.h>

#include "open_inference.pb.h"
#include "serving-runtime/core/inference.h"

namespace tidegate::serving::oip {

// Inputs come raw or typed; outputs go out raw, as Triton's do. `inference` gets its version whenever that can be
// found.
absl::Status model_infer(const ServableTable& table, const inference::ModelInferRequest& request,
                         inference::ModelInferResponse& response, Inference& inference);
absl::Status model_metadata(const ServableTable& table, const inference::ModelMetadataRequest& request,
                            inference::ModelMetadataResponse& response);
absl::Status model_ready(const ServableTable& table, const inference::ModelReadyRequest& request,
                         inference::ModelReadyResponse& response);
void server_metadata(inference::ServerMetadataResponse& response);

}  // namespace tidegate::serving::oip
