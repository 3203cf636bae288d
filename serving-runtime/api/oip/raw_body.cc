#include "serving-runtime/api/oip/raw_body.h"

#include <algorithm>

#include "base/status.h"
#include "serving-runtime/api/oip/raw_tensor.h"

namespace tidegate::serving::oip {
namespace {

absl::Status not_for(const model::Signature& signature, std::string_view why) {
  return absl::InvalidArgumentError(
      base::cat("a body of raw bytes without JSON is not for signature '", signature.name, "': ", why));
}

bool is_open(int64_t size) { return size < 0; }

// The one string.
Tensor text(const Shape& specified, std::string_view body) {
  Shape shape(specified.size(), 1);
  StringList strings;
  strings.push(body);
  return Tensor(std::move(shape), std::move(strings));
}

// `specified` has one open size at most: it becomes what the bytes have room for, if that is a whole number.
Shape fitting(Shape specified, size_t element_bytes, size_t body_bytes) {
  auto open = std::find_if(specified.begin(), specified.end(), is_open);
  if (open == specified.end()) return specified;
  *open = 1;
  const absl::StatusOr<int64_t> row = element_count(specified);
  if (row.ok() && *row > 0) *open = static_cast<int64_t>(body_bytes / element_bytes) / *row;
  return specified;
}

absl::StatusOr<Tensor> decode(const model::Signature& signature, const model::TensorSpec& spec, std::string_view body) {
  if (spec.unknown_rank) return not_for(signature, "the rank of its input is not known");
  if (spec.type == model::DataType::kString) {
    const bool one =
        std::all_of(spec.shape.begin(), spec.shape.end(), [](int64_t size) { return size < 0 || size == 1; });
    return one ? absl::StatusOr<Tensor>(text(spec.shape, body))
               : not_for(signature, "its input is more than one string");
  }
  if (model::oip_name(spec.type).empty()) return not_for(signature, "the protocol does not have the type of its input");
  if (std::count_if(spec.shape.begin(), spec.shape.end(), is_open) > 1) {
    return not_for(signature, "more than one size of its input is open");
  }
  return from_raw(spec.type, fitting(spec.shape, model::size_of(spec.type), body.size()), body);
}

}  // namespace

absl::StatusOr<InferRequest> raw_infer(const model::Signature& signature, std::string_view body) {
  if (signature.inputs.size() != 1) return not_for(signature, base::cat("it has ", signature.inputs.size(), " inputs"));
  const model::TensorSpec& spec = signature.inputs[0];
  auto tensor = decode(signature, spec, body);
  if (!tensor.ok()) return base::annotate(tensor.status(), base::cat("input '", spec.name, "'"));
  InferRequest request;
  request.binary_by_default = true;
  request.inputs.push_back({spec.name, *std::move(tensor)});
  return request;
}

}  // namespace tidegate::serving::oip
