#pragma once
// TensorFlow Serving's gRPC messages of Classify, Regress and MultiInference over the servables: request in, response
// out, no gRPC in sight. Called by server/grpc_server.h and, for warm-up, by repository/recorded_requests.h.
#include <absl/status/statusor.h>

#include "serving-runtime/api/tfs/repeat_allowance.h"
#include "serving-runtime/api/tfs/rules.h"
#include "serving-runtime/core/inference.h"
#include "tensorflow_serving.pb.h"

namespace tidegate::serving::tfs {

// The examples, each with the context's features. INVALID_ARGUMENT "Input is empty." when there are none, or when the
// context's copies are more than `allowance` has left.
absl::StatusOr<Tensor> decode_examples(const tensorflow::serving::Input& input, RepeatAllowance& allowance);

// `inference` gets its version whenever that can be found, also when the rest fails.
absl::Status classify(const ServableFinder& servables, const tensorflow::serving::ClassificationRequest& request,
                      tensorflow::serving::ClassificationResponse& response, Inference& inference,
                      const Rules& rules = {});
absl::Status regress(const ServableFinder& servables, const tensorflow::serving::RegressionRequest& request,
                     tensorflow::serving::RegressionResponse& response, Inference& inference, const Rules& rules = {});

// Classifies and regresses the same examples with several signatures of one version, the one that the first task names;
// all tasks are checked before the first one runs. A later task may leave its version open; unlike TensorFlow Serving,
// which does not look, one that asks for another version is refused.
absl::Status multi_inference(const ServableFinder& servables, const tensorflow::serving::MultiInferenceRequest& request,
                             tensorflow::serving::MultiInferenceResponse& response, Inference& inference,
                             const Rules& rules = {});

}  // namespace tidegate::serving::tfs
