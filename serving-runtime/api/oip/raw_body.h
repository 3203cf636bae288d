#pragma once
// A REST body that is the bytes of one tensor and nothing else (Triton's raw binary request, announced by
// Inference-Header-Content-Length: 0): what JSON would tell is taken from the model. Called by rest_api.h. Pure.
#include <absl/status/statusor.h>

#include <string_view>

#include "model/signature.h"
#include "serving-runtime/api/oip/infer_json.h"

namespace tidegate::serving::oip {

// Asks for all outputs, binary. Of the signature's one input at most one size may be open, which the bytes then decide;
// an input of BYTES takes the body as its one element, and each open size is 1. INVALID_ARGUMENT when the signature is
// not so, or the bytes do not fit it.
absl::StatusOr<InferRequest> raw_infer(const model::Signature& signature, std::string_view body);

}  // namespace tidegate::serving::oip
