#pragma once
// TensorFlow Serving's JSON for predict: rows ({"instances": …} -> {"predictions": …}) and columns ({"inputs": …} ->
// {"outputs": …}), https://www.tensorflow.org/tfx/serving/api_rest. Pure.
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "model/signature.h"
#include "serving-runtime/api/tfs/request_document.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::serving::tfs {

enum class Format { kRow, kColumn };

struct PredictInputs {
  Format format = Format::kRow;
  std::vector<NamedTensor> tensors;
};

absl::StatusOr<PredictInputs> decode_predict(const RequestDocument& document, const model::Signature& signature);

// INVALID_ARGUMENT when rows are asked for and the outputs have no common first dimension, or JSON has no form for a
// type.
absl::StatusOr<std::string> encode_predict(const std::vector<NamedTensor>& outputs, Format format);

}  // namespace tidegate::serving::tfs
