#pragma once
// TensorFlow Serving's JSON for classify and regress, https://www.tensorflow.org/tfx/serving/api_rest: examples as
// objects of features ({"examples": [{"x": 1.0, "words": ["a", {"b64": …}]}], "context": {…}}) to tf.Example protos,
// and
// {"results": …} back. Pure.
#include <absl/status/statusor.h>

#include <string>

#include "serving-runtime/api/tfs/example_signature.h"
#include "serving-runtime/api/tfs/request_document.h"

namespace tidegate::serving::tfs {

// The request's examples as serialized protos, each with the context's features. A feature's JSON type is its type:
// strings are bytes, whole numbers and booleans int64, other numbers float.
absl::StatusOr<Tensor> decode_examples(const RequestDocument& document);

// {"results":[[["label",score],…],…]}
std::string encode_classification(const Classification& result);
// {"results":[value,…]}
std::string encode_regression(const Tensor& values);

}  // namespace tidegate::serving::tfs
