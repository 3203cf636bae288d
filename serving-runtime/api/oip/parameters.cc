#include "serving-runtime/api/oip/parameters.h"

#include <algorithm>
#include <type_traits>

#include "base/status.h"
#include "serving-runtime/api/json/json_members.h"

namespace tidegate::serving::oip {
namespace {

// False, 0 and "": what clients send for an option that they do not use.
bool asks_for_nothing(const ParameterValue& value) {
  return std::visit([](const auto& v) { return v == std::remove_cvref_t<decltype(v)>{}; }, value);
}

absl::Status unless_used(const ParameterValue& value, std::string_view what, std::string_view name,
                         std::string_view why) {
  if (asks_for_nothing(value)) return absl::OkStatus();
  return absl::UnimplementedError(base::cat(what, " parameter '", name, "' is not offered: ", why));
}

// How a client has packed its data, in MLServer's words, which its codecs write into every request: as an array, as
// text, or (of a request) a column an input. As tensors these need nothing more; the others' elements would have to be
// decoded.
absl::Status check_content_type(std::string_view what, const ParameterValue& value) {
  const auto* type = std::get_if<std::string>(&value);
  if (!type) return absl::InvalidArgumentError(base::cat(what, " parameter 'content_type' must be a string"));
  if (type->empty() || *type == "np" || *type == "str" || *type == "pd") return absl::OkStatus();
  return absl::UnimplementedError(base::cat(what, " parameter 'content_type' is '", *type,
                                            "', which is not offered: tensors are taken as they come (np, str, pd)"));
}

absl::Status take_timeout(const ParameterValue& value, absl::Duration& timeout) {
  constexpr uint64_t kMost = uint64_t{1} << 53;  // 285 years
  const auto* whole = std::get_if<int64_t>(&value);
  const auto* large = std::get_if<uint64_t>(&value);
  if ((!whole || *whole < 0) && !large) {
    return absl::InvalidArgumentError("request parameter 'timeout' must be a whole number of microseconds");
  }
  uint64_t microseconds = std::min(whole ? static_cast<uint64_t>(*whole) : *large, kMost);
  if (microseconds > 0) timeout = absl::Microseconds(static_cast<int64_t>(microseconds));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParameterValue> read_parameter(JsonReader& reader, std::string_view name) {
  char first = reader.peek();
  if (first == '"') {
    std::string text;
    TG_RETURN_IF_ERROR(read_text(reader, name, text));
    return text;
  }
  if (first == 't' || first == 'f') {
    bool flag = false;
    TG_RETURN_IF_ERROR(read_flag(reader, name, flag));
    return flag;
  }
  if (!at_number(reader)) {
    return absl::InvalidArgumentError(base::cat("parameter '", name, "' must be a string, a number, true or false"));
  }
  JsonNumber number;
  if (!reader.read_number(number)) return reader.error();
  if (number.fits<int64_t>()) {
    return static_cast<int64_t>(number.negative ? uint64_t{0} - number.magnitude : number.magnitude);
  }
  if (number.fits<uint64_t>()) return number.magnitude;
  return number.value;
}

absl::StatusOr<ParameterValue> to_parameter(const inference::InferParameter& parameter, std::string_view name) {
  switch (parameter.parameter_choice_case()) {
    case inference::InferParameter::kBoolParam:
      return parameter.bool_param();
    case inference::InferParameter::kInt64Param:
      return static_cast<int64_t>(parameter.int64_param());
    case inference::InferParameter::kStringParam:
      return parameter.string_param();
    case inference::InferParameter::kDoubleParam:
      return parameter.double_param();
    case inference::InferParameter::kUint64Param:
      return static_cast<uint64_t>(parameter.uint64_param());
    case inference::InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(base::cat("parameter '", name, "' has no value"));
}

absl::Status take_request_parameter(std::string_view name, const ParameterValue& value, RequestParameters& parameters) {
  if (name == "signature_name") {
    const auto* text = std::get_if<std::string>(&value);
    if (!text) return absl::InvalidArgumentError("request parameter 'signature_name' must be a string");
    parameters.signature_name = *text;
    return absl::OkStatus();
  }
  if (name == "timeout") return take_timeout(value, parameters.timeout);
  if (name == "content_type") return check_content_type("request", value);
  if (name == "priority") {
    return unless_used(value, "request", name, "requests are run in the order in which they come");
  }
  if (name == "sequence_id" || name == "sequence_start" || name == "sequence_end") {
    return unless_used(value, "request", name, "no model here keeps state between requests");
  }
  // Each request has one answer, which a stream marks as the final one whether it is asked to or not.
  if (name == "triton_enable_empty_final_response") return absl::OkStatus();
  return absl::InvalidArgumentError(base::cat("request parameter '", name, "' is unknown; models here take none"));
}

absl::Status check_tensor_parameter(std::string_view tensor, std::string_view name, const ParameterValue& value) {
  if (name == "content_type") return check_content_type(tensor, value);
  if (name.starts_with("shared_memory_")) {
    return unless_used(value, tensor, name, "tensors are sent and returned in the message");
  }
  return absl::InvalidArgumentError(base::cat(tensor, " parameter '", name, "' is unknown"));
}

}  // namespace tidegate::serving::oip
