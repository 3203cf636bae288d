#include "serving-runtime/recording/record_json.h"

#include <absl/strings/escaping.h>

#include <algorithm>

#include "base/strings.h"
#include "base/utf8.h"
#include "serving-runtime/api/json/json_tensor.h"

namespace tidegate::serving {
namespace {

constexpr size_t kMaxErrorText = 1024;  // bytes

std::string time_text(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()); }

// "name":  — after the first member with a comma before it.
void append_name(std::string& out, std::string_view name) {
  if (out.back() != '{') out += ',';
  append_json_string(out, name);
  out += ':';
}

// Texts of clients need not be UTF-8, those that are not are left out.
void append_text(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty() || !base::is_utf8(text)) return;
  append_name(out, name);
  append_json_string(out, text);
}

void append_number(std::string& out, std::string_view name, int64_t number) {
  append_name(out, name);
  base::append(out, number);
}

// Bytes may be UTF-8 by chance, as short serialized protos are; text has no control characters but these.
bool is_text(std::string_view bytes) {
  constexpr std::string_view kAllowed = "\t\n\r";
  const bool plain = std::all_of(bytes.begin(), bytes.end(), [&](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || kAllowed.find(c) != std::string_view::npos;
  });
  return plain && base::is_utf8(bytes);
}

bool is_binary(const NamedTensor& tensor) {
  if (tensor.tensor.type() != model::DataType::kString) return false;
  if (tensor.name.ends_with("_bytes")) return true;
  const auto strings = tensor.tensor.strings();
  return !std::all_of(strings.begin(), strings.end(),
                      [](const TidegateString& text) { return is_text({text.data, text.size}); });
}

// NaN, Infinity and -Infinity outside of strings, into quotes.
std::string quoted(std::string_view json) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string && c == '\\') {
      out.append(json.substr(i++, 2));
      continue;
    }
    if (c == '"') in_string = !in_string;
    const bool word = !in_string && (c == 'N' || c == 'I' || (c == '-' && json.substr(i + 1, 1) == "I"));
    if (!word) {
      out += c;
      continue;
    }
    const size_t length = std::string_view(c == 'N' ? "NaN" : c == 'I' ? "Infinity" : "-Infinity").size();
    base::append(out, '"');
    out.append(json.substr(i, length));
    base::append(out, '"');
    i += length - 1;
  }
  return out;
}

// The tensors by name. False when JSON cannot carry one of them.
bool append_tensors(std::string& out, std::string_view name, const std::vector<NamedTensor>& tensors,
                    NonFinite non_finite) {
  std::string json = "{";
  for (const NamedTensor& tensor : tensors) {
    append_name(json, tensor.name);
    size_t index = 0;
    if (!append_nested(json, tensor.tensor, 0, index, is_binary(tensor))) return false;
  }
  append_name(out, name);
  out += non_finite == NonFinite::kQuoted ? quoted(json) : json;
  out += '}';
  return true;
}

std::string head(const RequestRecord& record) {
  std::string out = "{";
  append_text(out, "time", time_text(record.time));
  append_text(out, "model", record.model);
  append_number(out, "version", record.version);
  append_text(out, "api", name_of(record.api));
  append_text(out, "code", absl::StatusCodeToString(record.status.code()));
  append_text(out, "error", base::shortened(base::view(record.status.message()), kMaxErrorText));
  if (record.model_error) {
    append_name(out, "model_error");
    out += "true";
  }
  append_number(out, "queue_us", absl::ToInt64Microseconds(record.queued));
  append_number(out, "latency_us", absl::ToInt64Microseconds(record.latency));
  append_text(out, "request_id", record.request_id);
  append_text(out, "traceparent", record.traceparent);
  return out;
}

std::string_view word_for(RequestRecord::Payload payload) {
  return payload == RequestRecord::Payload::kTooLarge ? "too_large" : "none";
}

std::string line_of(const RequestRecord& record, const RunRecord& run, NonFinite non_finite) {
  std::string line = head(record);
  append_text(line, "signature_name", run.signature);
  if (record.payload != RequestRecord::Payload::kKept) {
    append_text(line, "payload", word_for(record.payload));
    return line + '}';
  }
  std::string with_payload = line;
  bool carried = append_tensors(with_payload, "inputs", run.inputs, non_finite);
  if (!run.outputs.empty()) carried = carried && append_tensors(with_payload, "outputs", run.outputs, non_finite);
  if (carried) return with_payload + '}';
  append_text(line, "payload", "not_json");
  return line + '}';
}

}  // namespace

std::vector<std::string> record_lines(const RequestRecord& record, NonFinite non_finite) {
  std::vector<std::string> lines;
  for (const RunRecord& run : record.runs) lines.push_back(line_of(record, run, non_finite));
  if (!lines.empty()) return lines;
  std::string line = head(record);
  append_text(line, "payload", "none");
  return {line + '}'};
}

std::string cloud_event(const RequestRecord& record, std::string_view source, std::string_view id,
                        std::string_view data) {
  std::string out = "{";
  append_text(out, "specversion", "1.0");
  append_text(out, "id", id);
  append_text(out, "source", source);
  append_text(out, "type", "dev.tidegate.prediction");
  append_text(out, "time", time_text(record.time));
  append_text(out, "datacontenttype", "application/json");
  append_text(out, "traceparent", record.traceparent);
  append_name(out, "data");
  out.append(data);
  return out + '}';
}

}  // namespace tidegate::serving
