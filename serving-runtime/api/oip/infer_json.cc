#include "serving-runtime/api/oip/infer_json.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "serving-runtime/api/json/json_tensor.h"
#include "serving-runtime/api/oip/raw_tensor.h"

namespace tidegate::serving::oip {
namespace {

constexpr size_t kMaxRank = 254;

// Calls `member(key)` for each member of the object that comes next; it must step over the value.
template <class Member>
absl::Status read_object(JsonReader& reader, Member member) {
  if (!reader.consume('{'))
    return absl::InvalidArgumentError(base::cat("JSON Value: ", quote_value(reader), " is not an object"));
  std::string key;
  for (bool more = !reader.consume('}'); more;) {
    if (!reader.read_key(key)) return reader.error();
    TG_RETURN_IF_ERROR(member(key));
    if (!reader.read_separator('}', more)) return reader.error();
  }
  return absl::OkStatus();
}

template <class Element>
absl::Status read_array(JsonReader& reader, Element element) {
  if (!reader.consume('['))
    return absl::InvalidArgumentError(base::cat("JSON Value: ", quote_value(reader), " is not an array"));
  for (bool more = !reader.consume(']'); more;) {
    TG_RETURN_IF_ERROR(element());
    if (!reader.read_separator(']', more)) return reader.error();
  }
  return absl::OkStatus();
}

absl::Status skip(JsonReader& reader) { return reader.skip_value() ? absl::OkStatus() : reader.error(); }

absl::Status read_text(JsonReader& reader, std::string_view what, std::string& out) {
  if (reader.peek() != '"') return absl::InvalidArgumentError(base::cat(what, " must be a string"));
  return reader.read_string(out) ? absl::OkStatus() : reader.error();
}

template <class Int>
absl::Status read_count(JsonReader& reader, std::string_view what, Int& out) {
  JsonNumber number;
  char first = reader.peek();
  bool numeric = first == '-' || (first >= '0' && first <= '9');
  if (numeric && !reader.read_number(number)) return reader.error();
  if (!numeric || !number.fits<Int>()) return absl::InvalidArgumentError(base::cat(what, " must be a whole number"));
  out = static_cast<Int>(number.negative ? uint64_t{0} - number.magnitude : number.magnitude);
  return absl::OkStatus();
}

absl::Status read_flag(JsonReader& reader, std::string_view what, bool& out) {
  char first = reader.peek();
  if (first != 't' && first != 'f') return absl::InvalidArgumentError(base::cat(what, " must be true or false"));
  out = first == 't';
  return reader.read_word(out ? "true" : "false") ? absl::OkStatus() : reader.error();
}

// An input before its data is decoded: members come in any order, so the data waits for shape and datatype.
struct RawInput {
  std::string name;
  std::string datatype;
  Shape shape;
  bool has_shape = false;
  std::optional<size_t> data_at;
  std::optional<uint64_t> binary_bytes;
};

absl::Status read_input(JsonReader& reader, RawInput& input) {
  TG_RETURN_IF_ERROR(read_object(reader, [&](const std::string& key) -> absl::Status {
    if (key == "name") return read_text(reader, "an input's name", input.name);
    if (key == "datatype") return read_text(reader, "an input's datatype", input.datatype);
    if (key == "shape") {
      input.has_shape = true;
      return read_array(reader, [&] { return read_count(reader, "a shape's dimension", input.shape.emplace_back()); });
    }
    if (key == "data") {
      reader.peek();
      input.data_at = reader.position();
    }
    if (key != "parameters") return skip(reader);
    return read_object(reader, [&](const std::string& parameter) -> absl::Status {
      if (parameter != "binary_data_size") return skip(reader);
      return read_count(reader, "binary_data_size", input.binary_bytes.emplace());
    });
  }));
  if (input.name.empty()) return absl::InvalidArgumentError("an input has no name");
  if (!input.has_shape) return absl::InvalidArgumentError(base::cat("input '", input.name, "' has no shape"));
  if (input.shape.size() > kMaxRank) {
    return absl::InvalidArgumentError(base::cat("input '", input.name, "' has more than ", kMaxRank, " dimensions"));
  }
  if (!input.data_at && !input.binary_bytes) {
    return absl::InvalidArgumentError(base::cat("input '", input.name, "' has neither data nor binary_data_size"));
  }
  return absl::OkStatus();
}

// The protocol lets data be nested or flat; either way the elements come in row-major order.
absl::StatusOr<Tensor> read_data(JsonReader reader, model::DataType type, Shape shape) {
  TG_ASSIGN_OR_RETURN(int64_t expected, element_count(shape));
  TensorBuilder builder(type);
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

absl::StatusOr<Tensor> decode_input(std::string_view json, std::string_view& binary, const RawInput& input) {
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
  TG_RETURN_IF_ERROR(read_object(reader, [&](const std::string& key) -> absl::Status {
    if (key == "name") return read_text(reader, "an output's name", output.name);
    if (key != "parameters") return skip(reader);
    return read_object(reader, [&](const std::string& parameter) -> absl::Status {
      if (parameter == "classification") return absl::UnimplementedError("the classification extension is not offered");
      return parameter == "binary_data" ? read_flag(reader, "binary_data", output.binary.emplace()) : skip(reader);
    });
  }));
  return output.name.empty() ? absl::InvalidArgumentError("a requested output has no name") : absl::OkStatus();
}

absl::Status read_request(JsonReader& reader, InferRequest& request, std::vector<RawInput>& inputs) {
  return read_object(reader, [&](const std::string& key) -> absl::Status {
    if (key == "id") return read_text(reader, "id", request.id);
    if (key == "inputs") return read_array(reader, [&] { return read_input(reader, inputs.emplace_back()); });
    if (key == "outputs")
      return read_array(reader, [&] { return read_output(reader, request.outputs.emplace_back()); });
    if (key != "parameters") return skip(reader);
    return read_object(reader, [&](const std::string& parameter) -> absl::Status {
      if (parameter == "binary_data_output") return read_flag(reader, parameter, request.binary_by_default);
      if (parameter == "signature_name") return read_text(reader, parameter, request.signature_name);
      return skip(reader);
    });
  });
}

void append_shape(std::string& out, const Shape& shape) { out += shape_text(shape); }

// An output's members but for its data.
void append_head(std::string& out, const NamedTensor& output) {
  out += R"({"name":)";
  append_json_string(out, output.name);
  out += R"(,"datatype":")";
  out += model::oip_name(output.tensor.type());
  out += R"(","shape":)";
  append_shape(out, output.tensor.shape());
}

bool append_data(std::string& out, const Tensor& tensor) {
  out += R"(,"data":[)";
  auto count = static_cast<size_t>(tensor.elements());
  for (size_t i = 0; i < count; ++i) {
    if (i) out += ',';
    if (!append_element(out, tensor, i, false)) return false;
  }
  out += "]}";
  return true;
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
  std::set<std::string> names;
  for (const RawInput& input : raw) {
    auto tensor = decode_input(json, binary, input);
    if (!tensor.ok()) return base::annotate(tensor.status(), base::cat("input '", input.name, "'"));
    if (!names.insert(input.name).second)
      return absl::InvalidArgumentError(base::cat("input '", input.name, "' is there twice"));
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
    } else if (!append_data(json, outputs[i].tensor)) {
      return absl::InvalidArgumentError(base::cat("output '", outputs[i].name, "' is of type ",
                                                  model::tensorflow_name(outputs[i].tensor.type()),
                                                  ", which the protocol does not have"));
    }
  }
  json += "]}";
  InferResponse response;
  if (any_binary) response.json_bytes = json.size();
  response.body = std::move(json) + binary;
  return response;
}

}  // namespace tidegate::serving::oip
