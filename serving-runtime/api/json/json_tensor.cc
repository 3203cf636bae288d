#include "serving-runtime/api/json/json_tensor.h"

#include <absl/strings/escaping.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "serving-runtime/core/half.h"

namespace tidegate::serving {
namespace {

using model::DataType;

absl::Status type_error(const JsonReader& reader, DataType type) {
  JsonReader at = reader;
  return absl::InvalidArgumentError(base::cat("JSON Value: ", quote_value(reader), " Type: ", json_type_name(at.peek()),
                                              " is not of expected type: ", model::tensorflow_name(type)));
}

// Whether `number` survives as a T: integers up to the mantissa, others within the range. NaN and infinities do.
template <class T>
bool is_lossless(const JsonNumber& number, LongIntegers long_integers) {
  if (!std::isfinite(number.value)) return true;
  constexpr uint64_t kMaxInt = (uint64_t{1} << std::numeric_limits<T>::digits) - 1;
  if (number.integer && long_integers == LongIntegers::kRefused) return number.magnitude <= kMaxInt;
  return std::abs(number.value) <= static_cast<double>(std::numeric_limits<T>::max());
}

absl::Status lossy_error(const JsonReader& reader, std::string_view target) {
  return absl::InvalidArgumentError(
      base::cat("Cannot convert JSON value: ", quote_value(reader), " to ", target, " without loss of precision."));
}

}  // namespace

absl::Status TensorBuilder::read_element(JsonReader& reader) {
  switch (type_) {
    case DataType::kString:
      return read_string(reader);
    case DataType::kBool:
      return read_bool(reader);
    default:
      return read_number(reader);
  }
}

absl::Status TensorBuilder::read_string(JsonReader& reader) {
  std::string text;
  char first = reader.peek();
  if (first == '"') {
    if (!reader.read_string(text)) return reader.error();
    strings_.push(text);
    return absl::OkStatus();
  }
  if (first != '{') return type_error(reader, type_);
  TG_RETURN_IF_ERROR(read_base64_object(reader, text));
  strings_.push(text);
  return absl::OkStatus();
}

absl::Status TensorBuilder::read_bool(JsonReader& reader) {
  char first = reader.peek();
  if (first != 't' && first != 'f') return type_error(reader, type_);
  if (!reader.read_word(first == 't' ? "true" : "false")) return reader.error();
  numbers_.push<uint8_t>(first == 't');
  return absl::OkStatus();
}

template <class Int>
bool TensorBuilder::push_integer(const JsonNumber& number) {
  if (!number.fits<Int>()) return false;
  numbers_.push(static_cast<Int>(number.negative ? uint64_t{0} - number.magnitude : number.magnitude));
  return true;
}

bool TensorBuilder::push_short_float(float value) {
  const bool half = type_ == DataType::kHalf;
  const uint16_t bits = half ? float_to_half(value) : float_to_bfloat16(value);
  numbers_.push(bits);
  return !std::isfinite(value) || std::isfinite(half ? half_to_float(bits) : bfloat16_to_float(bits));
}

absl::Status TensorBuilder::read_number(JsonReader& reader) {
  char first = reader.peek();
  const size_t begin = reader.position();
  const auto before = [&] {
    JsonReader at(reader.text());
    at.seek(begin);
    return at;
  };
  if (first != '-' && first != 'N' && first != 'I' && (first < '0' || first > '9')) return type_error(reader, type_);
  JsonNumber number;
  if (!reader.read_number(number)) return reader.error();
  bool fits = true;
  switch (type_) {
    case DataType::kFloat:
    case DataType::kHalf:
    case DataType::kBfloat16: {
      if (!is_lossless<float>(number, long_integers_)) return lossy_error(before(), "float");
      auto value = static_cast<float>(number.value);
      if (type_ == DataType::kFloat) {
        numbers_.push(value);
      } else if (!push_short_float(value)) {
        return lossy_error(before(), model::tensorflow_name(type_));
      }
      break;
    }
    case DataType::kDouble:
      if (!is_lossless<double>(number, long_integers_)) return lossy_error(before(), "double");
      numbers_.push(number.value);
      break;
    case DataType::kInt8:
      fits = push_integer<int8_t>(number);
      break;
    case DataType::kInt16:
      fits = push_integer<int16_t>(number);
      break;
    case DataType::kInt32:
      fits = push_integer<int32_t>(number);
      break;
    case DataType::kInt64:
      fits = push_integer<int64_t>(number);
      break;
    case DataType::kUint8:
      fits = push_integer<uint8_t>(number);
      break;
    case DataType::kUint16:
      fits = push_integer<uint16_t>(number);
      break;
    case DataType::kUint32:
      fits = push_integer<uint32_t>(number);
      break;
    case DataType::kUint64:
      fits = push_integer<uint64_t>(number);
      break;
    default:
      return absl::UnimplementedError(
          base::cat("Conversion of JSON Value: ", quote_value(before()), " to type: ", model::tensorflow_name(type_)));
  }
  return fits ? absl::OkStatus() : type_error(before(), type_);
}

Tensor TensorBuilder::finish(Shape shape) {
  if (type_ == DataType::kString) return Tensor(std::move(shape), std::move(strings_));
  return Tensor(type_, std::move(shape), std::move(numbers_));
}

absl::Status read_base64_object(JsonReader& reader, std::string& bytes) {
  if (!reader.at_base64_object()) {
    return absl::InvalidArgumentError(
        base::cat("JSON Value: ", quote_value(reader), " not formatted correctly for base64 data"));
  }
  std::string text;
  bool read = reader.consume('{') && reader.read_key(text) && reader.read_string(text) && reader.consume('}');
  if (!read) return reader.error();
  return absl::Base64Unescape(text, &bytes) ? absl::OkStatus() : absl::InvalidArgumentError("Unable to base64 decode");
}

absl::Status read_dense(JsonReader& reader, TensorBuilder& builder, Shape& shape, size_t most_dimensions) {
  shape.clear();
  std::vector<int64_t> counts;  // elements so far in each list that is open
  bool rank_known = false;      // the first way down to an element, or to an empty list, sets the rank
  for (;;) {
    char c = reader.peek();
    bool value_ended = true;
    if (c == '[') {
      if (rank_known && counts.size() >= shape.size()) {
        return absl::InvalidArgumentError(
            base::cat("Encountered list at unexpected level: ", counts.size(), " expected < ", shape.size()));
      }
      if (!rank_known && shape.size() == most_dimensions) {
        return absl::InvalidArgumentError(base::cat("A tensor has at most ", kMostDimensions, " dimensions"));
      }
      reader.consume('[');
      if (!rank_known) shape.push_back(-1);
      counts.push_back(0);
      value_ended = reader.peek() == ']';
    } else {
      if (rank_known && counts.size() != shape.size()) {
        return absl::InvalidArgumentError(base::cat("JSON Value: ", quote_value(reader),
                                                    " found at incorrect level: ", counts.size() + 1,
                                                    " in the JSON DOM. Expected at level: ", shape.size()));
      }
      TG_RETURN_IF_ERROR(builder.read_element(reader));
      if (counts.empty()) return absl::OkStatus();
      ++counts.back();
    }
    if (value_ended) rank_known = true;
    for (bool more = !value_ended; !more;) {
      bool empty = counts.back() == 0 && reader.consume(']');
      if (!empty && !reader.read_separator(']', more)) return reader.error();
      if (more) break;
      int64_t& expected = shape[counts.size() - 1];
      if (expected < 0) expected = counts.back();
      if (expected != counts.back()) {
        return absl::InvalidArgumentError(base::cat("Encountered list at unexpected size: ", counts.back(),
                                                    " at level: ", counts.size() - 1, " expected size: ", expected));
      }
      counts.pop_back();
      if (counts.empty()) return absl::OkStatus();
      ++counts.back();
    }
  }
}

namespace {

template <class Float>
void append_decimal_of(std::string& out, Float value) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "NaN" : std::signbit(value) ? "-Infinity" : "Infinity";
    return;
  }
  char buffer[64];
  char* end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6).ptr;
  Float again{};
  std::from_chars(buffer, end, again);
  if (again != value) {
    end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general,
                        std::numeric_limits<Float>::max_digits10)
              .ptr;
  }
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

template <class Int>
void append_integer(std::string& out, Int value) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

}  // namespace

void append_decimal(std::string& out, float value) { append_decimal_of(out, value); }
void append_decimal(std::string& out, double value) { append_decimal_of(out, value); }

void append_json_string(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  out += '"';
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\b') {
      out += "\\b";
    } else if (c == '\f') {
      out += "\\f";
    } else {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  out += '"';
}

bool append_element(std::string& out, const Tensor& tensor, size_t i, bool as_base64) {
  switch (tensor.type()) {
    case DataType::kFloat:
      append_decimal(out, tensor.values<float>()[i]);
      return true;
    case DataType::kDouble:
      append_decimal(out, tensor.values<double>()[i]);
      return true;
    case DataType::kHalf:
      append_decimal(out, half_to_float(tensor.values<uint16_t>()[i]));
      return true;
    case DataType::kBfloat16:
      append_decimal(out, bfloat16_to_float(tensor.values<uint16_t>()[i]));
      return true;
    case DataType::kInt8:
      append_integer(out, static_cast<int>(tensor.values<int8_t>()[i]));
      return true;
    case DataType::kInt16:
      append_integer(out, tensor.values<int16_t>()[i]);
      return true;
    case DataType::kInt32:
      append_integer(out, tensor.values<int32_t>()[i]);
      return true;
    case DataType::kInt64:
      append_integer(out, tensor.values<int64_t>()[i]);
      return true;
    case DataType::kUint8:
      append_integer(out, static_cast<int>(tensor.values<uint8_t>()[i]));
      return true;
    case DataType::kUint16:
      append_integer(out, tensor.values<uint16_t>()[i]);
      return true;
    case DataType::kUint32:
      append_integer(out, tensor.values<uint32_t>()[i]);
      return true;
    case DataType::kUint64:
      append_integer(out, tensor.values<uint64_t>()[i]);
      return true;
    case DataType::kBool:
      out += tensor.values<uint8_t>()[i] ? "true" : "false";
      return true;
    case DataType::kString: {
      const TidegateString& text = tensor.strings()[i];
      if (!as_base64) {
        append_json_string(out, {text.data, text.size});
        return true;
      }
      std::string encoded;
      absl::Base64Escape(absl::string_view(text.data, text.size), &encoded);
      out.append(R"({"b64":")").append(encoded).append("\"}");
      return true;
    }
    default:
      return false;
  }
}

bool append_nested(std::string& out, const Tensor& tensor, size_t from_dimension, size_t& index, bool as_base64) {
  const Shape& shape = tensor.shape();
  if (from_dimension >= shape.size()) return append_element(out, tensor, index++, as_base64);
  out += '[';
  for (int64_t i = 0; i < shape[from_dimension]; ++i) {
    if (i) out += ',';
    if (!append_nested(out, tensor, from_dimension + 1, index, as_base64)) return false;
  }
  out += ']';
  return true;
}

}  // namespace tidegate::serving
