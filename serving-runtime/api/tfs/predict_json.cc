#include "serving-runtime/api/tfs/predict_json.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "serving-runtime/api/json/json_tensor.h"
#include "serving-runtime/core/quote.h"

namespace tidegate::serving::tfs {
namespace {

absl::Status element_error(int64_t element, std::string_view key, const absl::Status& cause) {
  std::string where = key.empty() ? "" : base::cat(" key: ", key);
  return absl::InvalidArgumentError(
      base::cat("Failed to process element: ", element, where, " of 'instances' list. Error: ", cause.ToString()));
}

// One input while rows are read: each row adds a slice of the same shape.
struct RowInput {
  const model::TensorSpec* spec;
  TensorBuilder builder;
  std::optional<Shape> shape;  // of the first slice
  int64_t last_row = -1;

  explicit RowInput(const model::TensorSpec& s) : spec(&s), builder(s.type) {}
  absl::Status add_slice(JsonReader& reader);
};

absl::Status RowInput::add_slice(JsonReader& reader) {
  Shape slice;
  TG_RETURN_IF_ERROR(read_dense(reader, builder, slice, kMostDimensions - 1));  // the rows are one more
  if (!shape) shape = slice;
  if (*shape == slice) return absl::OkStatus();
  TG_ASSIGN_OR_RETURN(int64_t expected, element_count(*shape));
  TG_ASSIGN_OR_RETURN(int64_t got, element_count(slice));
  if (expected != got) {
    return absl::InvalidArgumentError(base::cat("Expecting tensor size: ", expected, " but got: ", got));
  }
  return absl::InvalidArgumentError(base::cat("Expecting shape ", shape_text(*shape), " but got: ", shape_text(slice)));
}

class RowDecoder {
 public:
  // `reader` stands before the first row.
  RowDecoder(const JsonReader& reader, const model::Signature& signature) : reader_(reader), signature_(signature) {
    for (const auto& spec : signature.inputs) inputs_.emplace_back(spec);
  }

  absl::StatusOr<std::vector<NamedTensor>> decode() {
    bool objects = at_object();
    if (reader_.peek() != '{' && inputs_.size() > 1) {
      return absl::InvalidArgumentError(
          "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
          "tensorinfo_map");
    }
    for (bool more = true; more; ++rows_) {
      if (at_object() != objects) {
        return absl::InvalidArgumentError(
            objects ? base::cat("Expecting object but got list at item ", rows_, " of input list")
                    : base::cat("Expecting value/list but got object at item ", rows_, " of input list"));
      }
      TG_RETURN_IF_ERROR(objects ? read_object_row() : read_plain_row());
      if (!reader_.read_separator(']', more)) return reader_.error();
    }
    return finish();
  }

 private:
  bool at_object() { return reader_.peek() == '{' && !reader_.at_base64_object(); }

  absl::Status read_plain_row() {
    absl::Status added = inputs_.front().add_slice(reader_);
    return added.ok() ? added : element_error(rows_, {}, added);
  }

  absl::Status read_object_row() {
    JsonReader row = reader_;
    size_t filled = 0;
    std::string key;
    reader_.consume('{');
    for (bool more = reader_.peek() != '}' || !reader_.consume('}'); more;) {
      if (!reader_.read_key(key)) return reader_.error();
      auto input = std::find_if(inputs_.begin(), inputs_.end(), [&](const auto& i) { return i.spec->name == key; });
      if (input == inputs_.end() || input->last_row == rows_) {
        std::string_view problem = input == inputs_.end() ? "JSON object: does not have named input: "
                                                          : "JSON object: names twice the input: ";
        const std::string named = quote(key);
        return element_error(rows_, named, absl::InvalidArgumentError(base::cat(problem, named)));
      }
      if (absl::Status added = input->add_slice(reader_); !added.ok()) return element_error(rows_, key, added);
      input->last_row = rows_;
      ++filled;
      if (!reader_.read_separator('}', more)) return reader_.error();
    }
    if (filled == inputs_.size()) return absl::OkStatus();
    return absl::InvalidArgumentError(base::cat("Failed to process element: ", rows_,
                                                " of 'instances' list. JSON object: ", quote_value(row),
                                                " keys must be equal to: ", model::joined_names(signature_.inputs)));
  }

  // A base64 object as a row of several inputs is the first one's, as with TensorFlow Serving; whoever runs the
  // signature misses the others.
  std::vector<NamedTensor> finish() {
    std::vector<NamedTensor> tensors;
    for (RowInput& input : inputs_) {
      if (!input.shape) continue;
      Shape shape = {rows_};
      shape.insert(shape.end(), input.shape->begin(), input.shape->end());
      tensors.push_back({input.spec->name, input.builder.finish(std::move(shape))});
    }
    return tensors;
  }

  JsonReader reader_;
  const model::Signature& signature_;
  std::vector<RowInput> inputs_;
  int64_t rows_ = 0;
};

absl::StatusOr<NamedTensor> read_column(JsonReader& reader, const model::TensorSpec& spec) {
  TensorBuilder builder(spec.type);
  Shape shape;
  TG_RETURN_IF_ERROR(read_dense(reader, builder, shape));
  return NamedTensor{spec.name, builder.finish(std::move(shape))};
}

absl::StatusOr<std::vector<NamedTensor>> decode_columns(JsonReader reader, const model::Signature& signature) {
  std::vector<NamedTensor> tensors;
  if (reader.peek() != '{' || reader.at_base64_object()) {
    if (signature.inputs.size() > 1) {
      return absl::InvalidArgumentError(
          "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
          "tensorinfo_map");
    }
    TG_ASSIGN_OR_RETURN(NamedTensor tensor, read_column(reader, signature.inputs.front()));
    tensors.push_back(std::move(tensor));
    return tensors;
  }
  TG_ASSIGN_OR_RETURN(auto members, member_positions(reader));
  for (const model::TensorSpec& spec : signature.inputs) {
    auto member = std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.first == spec.name; });
    if (member == members.end()) {
      return absl::InvalidArgumentError(base::cat("Missing named input: ", spec.name, " in 'inputs' object."));
    }
    reader.seek(member->second);
    TG_ASSIGN_OR_RETURN(NamedTensor tensor, read_column(reader, spec));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// TensorFlow Serving's rule for which strings are binary.
bool is_binary(const NamedTensor& output) {
  return output.tensor.type() == model::DataType::kString && output.name.ends_with("_bytes");
}

absl::Status unwritable(const NamedTensor& output) {
  return absl::InvalidArgumentError(
      base::cat("Failed to write JSON value for tensor type: ", model::tensorflow_name(output.tensor.type())));
}

absl::StatusOr<int64_t> common_batch_size(const std::vector<NamedTensor>& outputs) {
  int64_t batch = -1;
  for (const NamedTensor& output : outputs) {
    const Shape& shape = output.tensor.shape();
    if (shape.empty()) {
      return absl::InvalidArgumentError(base::cat("Tensor name: ", output.name, " has no shape information "));
    }
    if (batch >= 0 && batch != shape[0]) {
      return absl::InvalidArgumentError(
          base::cat("Tensor name: ", output.name, " has inconsistent batch size: ", shape[0], " expecting: ", batch));
    }
    batch = shape[0];
  }
  return batch;
}

void append_name(std::string& out, const std::string& name) {
  append_json_string(out, name);
  out += ':';
}

absl::StatusOr<std::string> encode_rows(const std::vector<NamedTensor>& outputs) {
  TG_ASSIGN_OR_RETURN(int64_t rows, common_batch_size(outputs));
  bool objects = outputs.size() > 1;
  std::vector<size_t> next(outputs.size(), 0);
  std::string out = R"({"predictions":[)";
  for (int64_t row = 0; row < rows; ++row) {
    if (row) out += ',';
    if (objects) out += '{';
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (i) out += ',';
      if (objects) append_name(out, outputs[i].name);
      if (!append_nested(out, outputs[i].tensor, 1, next[i], is_binary(outputs[i]))) return unwritable(outputs[i]);
    }
    if (objects) out += '}';
  }
  out += "]}";
  return out;
}

absl::StatusOr<std::string> encode_columns(const std::vector<NamedTensor>& outputs) {
  bool objects = outputs.size() > 1;
  std::string out = R"({"outputs":)";
  if (objects) out += '{';
  for (size_t i = 0; i < outputs.size(); ++i) {
    size_t index = 0;
    if (i) out += ',';
    if (objects) append_name(out, outputs[i].name);
    if (!append_nested(out, outputs[i].tensor, 0, index, is_binary(outputs[i]))) return unwritable(outputs[i]);
  }
  out += objects ? "}}" : "}";
  return out;
}

}  // namespace

absl::StatusOr<PredictInputs> decode_predict(const RequestDocument& document, const model::Signature& signature) {
  if (signature.inputs.empty()) {
    TG_ASSIGN_OR_RETURN(std::string name, document.signature_name());
    return absl::InvalidArgumentError(
        base::cat("Failed to get input map for signature: ", name.empty() ? "DEFAULT" : name));
  }
  std::optional<JsonReader> instances = document.find("instances"), columns = document.find("inputs");
  if (instances && columns) {
    return document.error("Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ");
  }
  PredictInputs inputs;
  if (columns) {
    inputs.format = Format::kColumn;
    TG_ASSIGN_OR_RETURN(inputs.tensors, decode_columns(*columns, signature));
    return inputs;
  }
  if (!instances) return absl::InvalidArgumentError("Missing 'inputs' or 'instances' key");
  if (!instances->consume('[')) return document.error("Excepting 'instances' to be an list/array");
  if (instances->peek() == ']') return document.error("No values in 'instances' array");
  TG_ASSIGN_OR_RETURN(inputs.tensors, RowDecoder(*instances, signature).decode());
  return inputs;
}

absl::StatusOr<std::string> encode_predict(const std::vector<NamedTensor>& outputs, Format format) {
  if (outputs.empty()) return absl::InvalidArgumentError("Cannot convert empty tensor map to JSON");
  return format == Format::kRow ? encode_rows(outputs) : encode_columns(outputs);
}

}  // namespace tidegate::serving::tfs
