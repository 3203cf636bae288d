#pragma once
// The Open Inference Protocol's REST bodies: JSON, optionally followed by raw tensors (binary tensor extension). Pure.
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serving-runtime/api/oip/parameters.h"
#include "serving-runtime/core/servable.h"
#include "serving-runtime/core/tensor.h"

namespace tidegate::serving::oip {

struct RequestedOutput {
  std::string name;
  std::optional<bool> binary;  // unset: as the request's binary_data_output says
  uint64_t classes = 0;        // as WantedOutput's
};

struct InferRequest {
  std::string id;
  RequestParameters parameters;
  bool binary_by_default = false;
  std::vector<NamedTensor> inputs;
  std::vector<RequestedOutput> outputs;  // empty: all
};

// `json_bytes`: the value of Inference-Header-Content-Length, or nothing when the whole body is JSON. (A body without
// any is raw_body.h's.) INVALID_ARGUMENT for anything that is not the protocol; the message names the input.
absl::StatusOr<InferRequest> parse_infer(std::string_view body, std::optional<size_t> json_bytes);

struct InferResponse {
  std::string body;
  std::optional<size_t> json_bytes;  // set when raw tensors follow the JSON
};

// INVALID_ARGUMENT names an output of bytes that JSON cannot carry.
absl::StatusOr<InferResponse> print_infer(const InferRequest& request, const Servable& servable,
                                          const std::vector<NamedTensor>& outputs);

}  // namespace tidegate::serving::oip
