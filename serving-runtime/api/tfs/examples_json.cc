#include "serving-runtime/api/tfs/examples_json.h"

#include <cmath>
#include <limits>

#include "base/status.h"
#include "base/utf8.h"
#include "serving-runtime/api/json/json_tensor.h"
#include "serving-runtime/api/tfs/example_batch.h"
#include "tensorflow.pb.h"

namespace tidegate::serving::tfs {
namespace {

using tensorflow::Example;
using tensorflow::Feature;

// Reads one feature's values; the first one's type is that of all.
class FeatureReader {
 public:
  FeatureReader(JsonReader& reader, std::string_view name, Feature& feature)
      : reader_(reader), name_(name), feature_(feature) {}

  absl::Status read() {
    if (!reader_.consume('[')) return read_value();
    for (bool more = !reader_.consume(']'); more;) {
      TG_RETURN_IF_ERROR(read_value());
      if (!reader_.read_separator(']', more)) return reader_.error();
    }
    return absl::OkStatus();
  }

 private:
  absl::Status read_value() {
    switch (reader_.peek()) {
      case '"':
        return read_text();
      case '{':
        return reader_.at_base64_object() ? read_bytes() : unexpected("Object");
      case 't':
      case 'f':
        return read_bool();
      case '[':
        return unexpected("Array");
      case 'n':
        return unexpected("Null");
      default:
        return read_number();
    }
  }

  absl::Status read_text() {
    TG_RETURN_IF_ERROR(expect(Feature::kBytesList));
    bool read = reader_.read_string(*feature_.mutable_bytes_list()->add_value());
    return read ? absl::OkStatus() : reader_.error();
  }

  absl::Status read_bytes() {
    TG_RETURN_IF_ERROR(expect(Feature::kBytesList));
    return read_base64_object(reader_, *feature_.mutable_bytes_list()->add_value());
  }

  absl::Status read_bool() {
    TG_RETURN_IF_ERROR(expect(Feature::kInt64List));
    bool value = reader_.peek() == 't';
    if (!reader_.read_word(value ? "true" : "false")) return reader_.error();
    feature_.mutable_int64_list()->add_value(value);
    return absl::OkStatus();
  }

  absl::Status read_number() {
    JsonReader before = reader_;
    JsonNumber number;
    if (!reader_.read_number(number)) return reader_.error();
    if (number.fits<int64_t>()) return add_integer(number);
    if (number.fits<uint64_t>()) {
      TG_RETURN_IF_ERROR(expect(Feature::kInt64List));
      return absl::InvalidArgumentError(base::cat("Feature: ", name_, " has uint64 element. Only int64 is supported."));
    }
    TG_RETURN_IF_ERROR(expect(Feature::kFloatList));
    if (std::isfinite(number.value) && std::abs(number.value) > std::numeric_limits<float>::max()) {
      return absl::InvalidArgumentError(
          base::cat("Cannot convert JSON value: ", quote_value(before), " to float without loss of precision."));
    }
    feature_.mutable_float_list()->add_value(static_cast<float>(number.value));
    return absl::OkStatus();
  }

  absl::Status add_integer(const JsonNumber& number) {
    TG_RETURN_IF_ERROR(expect(Feature::kInt64List));
    uint64_t bits = number.negative ? uint64_t{0} - number.magnitude : number.magnitude;
    feature_.mutable_int64_list()->add_value(static_cast<int64_t>(bits));
    return absl::OkStatus();
  }

  absl::Status expect(Feature::KindCase kind) const {
    Feature::KindCase now = feature_.kind_case();
    if (now == Feature::KIND_NOT_SET || now == kind) return absl::OkStatus();
    std::string_view word = now == Feature::kBytesList ? "bytes" : now == Feature::kFloatList ? "float" : "int64";
    return absl::InvalidArgumentError(
        base::cat("Unexpected element type in feature: ", name_, " expecting type: ", word));
  }

  absl::Status unexpected(std::string_view type) const {
    return absl::InvalidArgumentError(base::cat("Feature: ", name_, " has element with unexpected JSON type: ", type));
  }

  JsonReader& reader_;
  const std::string_view name_;
  Feature& feature_;
};

absl::Status read_example(JsonReader& reader, Example& example) {
  char first = reader.peek();
  if (!reader.consume('{')) {
    return absl::InvalidArgumentError(base::cat("Example must be JSON object but got JSON ", json_type_name(first)));
  }
  std::string name;
  for (bool more = !reader.consume('}'); more;) {
    if (!reader.read_key(name)) return reader.error();
    if (!base::is_utf8(name))
      return absl::InvalidArgumentError(base::cat("Feature: ", name, " has a name that is not UTF-8"));
    Feature feature;
    TG_RETURN_IF_ERROR(FeatureReader(reader, name, feature).read());
    (*example.mutable_features()->mutable_feature())[name] = std::move(feature);
    if (!reader.read_separator('}', more)) return reader.error();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> read_context(const RequestDocument& document) {
  Example context;
  if (std::optional<JsonReader> reader = document.find("context")) {
    TG_RETURN_IF_ERROR(read_example(*reader, context));
  }
  return context.SerializeAsString();
}

}  // namespace

absl::StatusOr<Tensor> decode_examples(const RequestDocument& document) {
  TG_ASSIGN_OR_RETURN(std::string context, read_context(document));
  std::optional<JsonReader> reader = document.find("examples");
  // TensorFlow Serving says "classify" of regress too.
  if (!reader) return document.error("When method is classify, key 'examples' is expected and was not found");
  if (!reader->consume('[')) return document.error("Expecting 'examples' value to be an list/array");
  if (reader->peek() == ']') return document.error("'examples' value is an empty array");
  RepeatAllowance allowance;
  ExampleBatch batch(std::move(context), allowance);
  for (bool more = true; more;) {
    Example example;
    TG_RETURN_IF_ERROR(read_example(*reader, example));
    TG_RETURN_IF_ERROR(batch.add(example.SerializeAsString()));
    if (!reader->read_separator(']', more)) return reader->error();
  }
  return batch.finish();
}

std::string encode_classification(const Classification& result) {
  std::string out = R"({"results":[)";
  size_t index = 0;
  for (int64_t example = 0; example < result.examples; ++example) {
    out += example ? ",[" : "[";
    for (int64_t i = 0; i < result.classes; ++i, ++index) {
      out += i ? ",[" : "[";
      append_json_string(out, result.label(index));
      out += ',';
      append_decimal(out, result.score(index));
      out += ']';
    }
    out += ']';
  }
  return out += "]}";
}

std::string encode_regression(const Tensor& values) {
  std::string out = R"({"results":[)";
  for (float value : values.values<float>()) {
    if (out.back() != '[') out += ',';
    append_decimal(out, value);
  }
  return out += "]}";
}

}  // namespace tidegate::serving::tfs
