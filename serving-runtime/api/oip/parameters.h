#pragma once
// The parameters of inference requests: which are honoured, which are refused, in REST and gRPC alike. None is ignored:
// a client that asks for what it does not get must hear of it. Pure.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "open_inference.pb.h"
#include "serving-runtime/api/json/json_reader.h"

namespace tidegate::serving::oip {

using ParameterValue = std::variant<bool, int64_t, uint64_t, double, std::string>;

// INVALID_ARGUMENT when no scalar comes next.
absl::StatusOr<ParameterValue> read_parameter(JsonReader& reader, std::string_view name);
// INVALID_ARGUMENT when none is set.
absl::StatusOr<ParameterValue> to_parameter(const inference::InferParameter& parameter, std::string_view name);

// What a request's own parameters ask for.
struct RequestParameters {
  std::string signature_name;                         // empty: the default
  absl::Duration timeout = absl::InfiniteDuration();  // a request that waited longer for its turn is not run
};

// Takes one parameter of a request. `signature_name` and `timeout` (microseconds; 0: none) are honoured; `priority`,
// `sequence_*` and the like pass where they ask for nothing. UNIMPLEMENTED for what Triton's extensions offer and this
// server does not, INVALID_ARGUMENT for names that no one knows and values of a wrong type.
absl::Status take_request_parameter(std::string_view name, const ParameterValue& value, RequestParameters& parameters);

// A parameter of an input or a requested output that asks for nothing special of it (so, not those of REST's binary
// extension and `classification`, which the decoders take): OK where it asks for nothing, else refused as above.
// `tensor`: "input 'x'".
absl::Status check_tensor_parameter(std::string_view tensor, std::string_view name, const ParameterValue& value);

}  // namespace tidegate::serving::oip
