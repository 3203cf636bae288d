#pragma once
// TensorFlow Serving's gRPC messages over the servables: request in, response and status out, no gRPC in sight. Those
// of Classify, Regress and MultiInference are in example_messages.h.
#include <absl/status/status.h>

#include "serving-runtime/api/tfs/repeat_allowance.h"
#include "serving-runtime/api/tfs/rules.h"
#include "serving-runtime/core/inference.h"
#include "tensorflow_serving.pb.h"

namespace tidegate::serving::tfs {

// INVALID_ARGUMENT when the message has no model.
absl::StatusOr<ModelSpec> to_model_spec(const tensorflow::serving::ModelSpec& spec);

// Says in an answer which version and signature gave it.
void name_version(const Servable& servable, const model::Signature& signature, tensorflow::serving::ModelSpec& spec);

// The request's tensors. Errors name the input.
absl::StatusOr<std::vector<NamedTensor>> decode_inputs(const tensorflow::serving::PredictRequest& request,
                                                       RepeatAllowance& allowance);

// `inference` gets its version whenever that can be found, also when the rest fails.
absl::Status predict(const ServableFinder& servables, const tensorflow::serving::PredictRequest& request,
                     tensorflow::serving::PredictResponse& response, Inference& inference, const Rules& rules = {});
absl::Status get_model_metadata(const ServableTable& table, const tensorflow::serving::GetModelMetadataRequest& request,
                                tensorflow::serving::GetModelMetadataResponse& response);
absl::Status get_model_status(const ServableTable& table, const tensorflow::serving::GetModelStatusRequest& request,
                              tensorflow::serving::GetModelStatusResponse& response);

// INVALID_ARGUMENT when the request brings no list of models, UNIMPLEMENTED for metric_names.
absl::Status check_reload(const tensorflow::serving::ReloadConfigRequest& request);

}  // namespace tidegate::serving::tfs
