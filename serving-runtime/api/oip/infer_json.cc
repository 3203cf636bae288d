#include "serving-runtime/api/oip/infer_json.h"

#include <utility>

#include "base/status.h"
#include "base/utf8.h"
#include "serving-runtime/api/json/json_members.h"
#include "serving-runtime/api/json/json_tensor.h"
#include "serving-runtime/api/oip/raw_tensor.h"

namespace tidegate::serving::oip {
namespace {

// An input as its members tell it. They come in any order: data that comes before name, datatype and shape is stepped
// over and waits for them, else it is decoded where it stands.
struct RawInput {
  std::string name;
  std::string datatype;
  Shape shape;
  bool has_shape = false;
  std::optional<size_t> data_at;
  std::optional<Tensor> tensor;
  std::optional<uint64_t> binary_bytes;
};

// The protocol lets data be nested or flat; either way the elements come in row-major order.
absl::StatusOr<Tensor> read_data(JsonReader& reader, model::DataType type, Shape shape) {
  TG_ASSIGN_OR_RETURN(int64_t expected, element_count(shape));
  TensorBuilder builder(type, LongIntegers::kRounded);  // many clients print a float that is whole without its point
  int64_t count = 0, depth = 0;
  bool more = false;
  do {
    char c = reader.peek();
    if (c == '[') {
      reader.consume('[');
      ++depth;
      if (reader.peek() != ']') {
        more = true;
        continue;
      }
    } else {
      if (depth == 0) return absl::InvalidArgumentError("data must be an array");
      if (++count > expected) break;
      TG_RETURN_IF_ERROR(builder.read_element(reader));
    }
    more = false;
    while (depth > 0 && !more) {
      if (!reader.read_separator(']', more)) return reader.error();
      if (!more) --depth;
    }
  } while (more);
  if (count == expected) return builder.finish(std::move(shape));
  return absl::InvalidArgumentError(base::cat("data has ", count > expected ? "more than " : "only ",
                                              count > expected ? expected : count, " elements; shape ",
                                              shape_text(shape), " needs ", expected));
}

// `what` of an object may be there once.
absl::Status once(bool already, std::string_view owner, std::string_view what) {
  return already ? absl::InvalidArgumentError(base::cat(owner, " has ", what, " twice")) : absl::OkStatus();
}

// A tensor's parameters, which may come before its name: kept until that is known.
using TensorParameters = std::vector<std::pair<std::string, ParameterValue>>;

absl::Status read_other_parameter(JsonReader& reader, const std::string& name, TensorParameters& others) {
  TG_ASSIGN_OR_RETURN(ParameterValue value, read_parameter(reader, name));
  others.emplace_back(name, std::move(value));
  return absl::OkStatus();
}

// `kind`: "input" or "output".
absl::Status check_parameters(std::string_view kind, const std::string& tensor, const TensorParameters& parameters) {
  for (const auto& [name, value] : parameters) {
    TG_RETURN_IF_ERROR(check_tensor_parameter(base::cat(kind, " '", tensor, "'"), name, value));
  }
  return absl::OkStatus();
}

absl::Status check_input(const RawInput& input) {
  auto fault = [&](const auto&... what) {
    return absl::InvalidArgumentError(base::cat("input '", input.name, "' has ", what...));
  };
  if (!input.has_shape) return fault("no shape");
  if (input.datatype.empty()) return fault("no datatype");
  if (input.shape.size() > kMostDimensions) return fault("more than ", kMostDimensions, " dimensions");
  if (input.data_at && input.binary_bytes) return fault("both data and binary_data_size");
  if (!input.data_at && !input.binary_bytes) return fault("neither data nor binary_data_size");
  return absl::OkStatus();
}

absl::Status read_or_pass_data(JsonReader& reader, RawInput& input) {
  TG_RETURN_IF_ERROR(once(input.data_at.has_value(), "an input", "data"));
  reader.peek();
  input.data_at = reader.position();
  model::DataType type = model::from_oip_name(input.datatype);
  bool described = !input.name.empty() && type != model::DataType::kInvalid && input.has_shape;
  if (!described || input.shape.size() > kMostDimensions) return skip_value(reader);
  auto tensor = read_data(reader, type, input.shape);
  if (!tensor.ok()) return base::annotate(tensor.status(), base::cat("input '", input.name, "'"));
  input.tensor = *std::move(tensor);
  return absl::OkStatus();
}

absl::Status read_input(JsonReader& reader, RawInput& input) {
  TensorParameters others;
  TG_RETURN_IF_ERROR(read_members(reader, [&](const std::string& key) -> absl::Status {
    if (key == "name") return read_text(reader, "an input's name", input.name);
    if (key == "datatype") {
      TG_RETURN_IF_ERROR(once(!input.datatype.empty(), "an input", key));
      return read_text(reader, "an input's datatype", input.datatype);
    }
    if (key == "shape") {
      TG_RETURN_IF_ERROR(once(input.has_shape, "an input", key));
      input.has_shape = true;
      return read_array(reader,
                        [&] { return read_whole_number(reader, "a shape's dimension", input.shape.emplace_back()); });
    }
    if (key == "data") return read_or_pass_data(reader, input);
    if (key != "parameters") return skip_value(reader);
    return read_members(reader, [&](const std::string& name) {
      if (name == "binary_data_size") return read_whole_number(reader, name, input.binary_bytes.emplace());
      return read_other_parameter(reader, name, others);
    });
  }));
  if (input.name.empty()) return absl::InvalidArgumentError("an input has no name");
  // First: an input whose parameters say where its data is has none here.
  TG_RETURN_IF_ERROR(check_parameters("input", input.name, others));
  return check_input(input);
}

absl::StatusOr<Tensor> decode_input(std::string_view json, std::string_view& binary, RawInput& input) {
  if (input.tensor) return *std::move(input.tensor);
  TG_ASSIGN_OR_RETURN(model::DataType type, parse_type(input.datatype, input.name));
  if (!input.binary_bytes) {
    JsonReader reader(json);
    reader.seek(*input.data_at);
    return read_data(reader, type, input.shape);
  }
  if (*input.binary_bytes > binary.size()) {
    return absl::InvalidArgumentError(base::cat("binary_data_size is ", *input.binary_bytes, " but only ",
                                                binary.size(), " bytes of the body are left"));
  }
  std::string_view own = binary.substr(0, *input.binary_bytes);
  binary.remove_prefix(*input.binary_bytes);
  return from_raw(type, input.shape, own);
}

absl::Status read_output(JsonReader& reader, RequestedOutput& output) {
  TensorParameters others;
  TG_RETURN_IF_ERROR(read_members(reader, [&](const std::string& key) -> absl::Status {
    if (key == "name") return read_text(reader, "an output's name", output.name);
    if (key != "parameters") return skip_value(reader);
    return read_members(reader, [&](const std::string& name) {
      if (name == "binary_data") return read_flag(reader, name, output.binary.emplace());
      if (name == "classification") return read_whole_number(reader, name, output.classes);
      return read_other_parameter(reader, name, others);
    });
  }));
  if (output.name.empty()) return absl::InvalidArgumentError("a requested output has no name");
  return check_parameters("output", output.name, others);
}

absl::Status read_request_parameter(JsonReader& reader, const std::string& name, InferRequest& request) {
  if (name == "binary_data_output") return read_flag(reader, name, request.binary_by_default);
  TG_ASSIGN_OR_RETURN(ParameterValue value, read_parameter(reader, name));
  return take_request_parameter(name, value, request.parameters);
}

// It goes into the answer as it came.
absl::Status read_id(JsonReader& reader, std::string& id) {
  TG_RETURN_IF_ERROR(read_text(reader, "id", id));
  return base::is_utf8(id) ? absl::OkStatus() : absl::InvalidArgumentError("id is not UTF-8");
}

absl::Status read_request(JsonReader& reader, InferRequest& request, std::vector<RawInput>& inputs) {
  bool has_inputs = false, has_outputs = false;
  TG_RETURN_IF_ERROR(read_members(reader, [&](const std::string& key) -> absl::Status {
    if (key == "id") return read_id(reader, request.id);
    if (key == "inputs") {
      TG_RETURN_IF_ERROR(once(std::exchange(has_inputs, true), "the request", key));
      return read_array(reader, [&] { return read_input(reader, inputs.emplace_back()); });
    }
    if (key == "outputs") {
      TG_RETURN_IF_ERROR(once(std::exchange(has_outputs, true), "the request", key));
      return read_array(reader, [&] { return read_output(reader, request.outputs.emplace_back()); });
    }
    if (key != "parameters") return skip_value(reader);
    return read_members(reader, [&](const std::string& name) { return read_request_parameter(reader, name, request); });
  }));
  return has_inputs ? absl::OkStatus() : absl::InvalidArgumentError("the request has no inputs");
}

// An output's members but for its data.
void append_head(std::string& out, const NamedTensor& output) {
  out += R"({"name":)";
  append_json_string(out, output.name);
  out += R"(,"datatype":")";
  out += model::oip_name(output.tensor.type());
  out += R"(","shape":)";
  out += shape_text(output.tensor.shape());
}

absl::Status append_data(std::string& out, const NamedTensor& output) {
  const Tensor& tensor = output.tensor;
  if (tensor.type() == model::DataType::kString) {
    for (const TidegateString& text : tensor.strings()) {
      if (base::is_utf8({text.data, text.size})) continue;
      return absl::InvalidArgumentError(base::cat("output '", output.name,
                                                  "' holds bytes that are no UTF-8, which JSON cannot carry; ask for "
                                                  "it with the parameter binary_data"));
    }
  }
  out += R"(,"data":[)";
  auto count = static_cast<size_t>(tensor.elements());
  for (size_t i = 0; i < count; ++i) {
    if (i) out += ',';
    append_element(out, tensor, i, false);  // infer() has refused the types that this refuses
  }
  out += "]}";
  return absl::OkStatus();
}

bool wants_binary(const InferRequest& request, const std::string& name) {
  for (const RequestedOutput& output : request.outputs) {
    if (output.name == name) return output.binary.value_or(request.binary_by_default);
  }
  return request.binary_by_default;
}

}  // namespace

absl::StatusOr<InferRequest> parse_infer(std::string_view body, std::optional<size_t> json_bytes) {
  if (json_bytes && *json_bytes > body.size()) {
    return absl::InvalidArgumentError(base::cat("Inference-Header-Content-Length is ", *json_bytes,
                                                " but the body has only ", body.size(), " bytes"));
  }
  std::string_view json = body.substr(0, json_bytes.value_or(body.size())), binary = body.substr(json.size());
  if (json.empty()) return absl::InvalidArgumentError("JSON Parse error: The document is empty");
  InferRequest request;
  std::vector<RawInput> raw;
  JsonReader reader(json);
  TG_RETURN_IF_ERROR(read_request(reader, request, raw));
  if (!reader.at_end()) return reader.error();
  for (RawInput& input : raw) {
    auto tensor = decode_input(json, binary, input);
    if (!tensor.ok()) return base::annotate(tensor.status(), base::cat("input '", input.name, "'"));
    request.inputs.push_back({input.name, *std::move(tensor)});
  }
  if (!binary.empty()) {
    return absl::InvalidArgumentError(base::cat(binary.size(), " bytes at the body's end belong to no input"));
  }
  return request;
}

absl::StatusOr<InferResponse> print_infer(const InferRequest& request, const Servable& servable,
                                          const std::vector<NamedTensor>& outputs) {
  std::string json = R"({"model_name":)", binary;
  append_json_string(json, servable.name());
  base::append(json, base::cat(R"(,"model_version":")", servable.version(), "\""));
  if (!request.id.empty()) {
    json += R"(,"id":)";
    append_json_string(json, request.id);
  }
  json += R"(,"outputs":[)";
  bool any_binary = false;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (i) json += ',';
    append_head(json, outputs[i]);
    if (wants_binary(request, outputs[i].name)) {
      any_binary = true;
      size_t before = binary.size();
      append_raw(binary, outputs[i].tensor);
      base::append(json, base::cat(R"(,"parameters":{"binary_data_size":)", binary.size() - before, "}}"));
    } else {
      TG_RETURN_IF_ERROR(append_data(json, outputs[i]));
    }
  }
  json += "]}";
  InferResponse response;
  if (any_binary) response.json_bytes = json.size();
  response.body = std::move(json) + binary;
  return response;
}

}  // namespace tidegate::serving::oip
