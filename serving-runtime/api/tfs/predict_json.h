#pragma once
// TensorFlow Serving's JSON for predict: rows ({"instances": …} -> {"predictions": …}) and columns ({"inputs": …} ->
// {"outputs": …}), https://www.tensorflow.org/tfx/serving/api_rest. Pure.
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/signature.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::serving::tfs {

// A request whose grammar was checked; its tensors are not decoded yet, since their types are the signature's.
struct PredictDocument {
  std::string_view text;               // the whole body; must outlive this
  std::string signature_name;          // empty: the default one
  std::optional<size_t> instances_at;  // where the values of the two keys begin
  std::optional<size_t> inputs_at;
};

absl::StatusOr<PredictDocument> scan_predict(std::string_view body);

enum class Format { kRow, kColumn };

struct PredictInputs {
  Format format = Format::kRow;
  std::vector<NamedTensor> tensors;
};

absl::StatusOr<PredictInputs> decode_predict(const PredictDocument& document, const model::Signature& signature);

// INVALID_ARGUMENT when rows are asked for and the outputs have no common first dimension, or JSON has no form for a
// type.
absl::StatusOr<std::string> encode_predict(const std::vector<NamedTensor>& outputs, Format format);

}  // namespace tidegate::serving::tfs
