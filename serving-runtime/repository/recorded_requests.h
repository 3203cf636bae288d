#pragma once
// TensorFlow Serving's warm-up file: assets.extra/tf_serving_warmup_requests, a TFRecord file of PredictionLog messages
// (https://www.tensorflow.org/tfx/serving/saved_model_warmup).
#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "serving-runtime/core/tensor.h"

namespace tidegate::serving {

// A request that was recorded: which signature and with what.
struct RecordedRequest {
  std::string signature_name;
  std::vector<NamedTensor> inputs;
};

// Empty when the version's folder has no such file. DATA_LOSS when the file is cut short or no such file, UNIMPLEMENTED
// when it holds other requests than predict, classify, regress and multi-inference; the last is one request for each
// task. INVALID_ARGUMENT when there are more than 1,000, as TensorFlow Serving has it.
absl::StatusOr<std::vector<RecordedRequest>> read_recorded_requests(const std::string& folder);
// The same of a file's bytes. `path` is what errors call it.
absl::StatusOr<std::vector<RecordedRequest>> parse_recorded_requests(std::string_view bytes, std::string_view path);

}  // namespace tidegate::serving
