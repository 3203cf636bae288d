#include "serving-runtime/api/tfs/request_document.h"

#include <algorithm>

#include "base/status.h"

namespace tidegate::serving::tfs {

absl::StatusOr<Members> member_positions(JsonReader& reader) {
  Members members;
  std::string key;
  reader.consume('{');
  for (bool more = !reader.consume('}'); more;) {
    if (!reader.read_key(key)) return reader.error();
    reader.peek();
    members.emplace_back(key, reader.position());
    if (!reader.skip_value() || !reader.read_separator('}', more)) return reader.error();
  }
  return members;
}

absl::StatusOr<RequestDocument> RequestDocument::scan(std::string_view body) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // as some clients on Windows begin
  if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
  if (body.empty()) return absl::InvalidArgumentError("JSON Parse error: The document is empty");
  RequestDocument document(body);
  JsonReader reader(body);
  if (reader.peek() == 0) return reader.fail("The document is empty."), reader.error();
  if (reader.peek() != '{') {
    if (!reader.skip_value() || !reader.at_end()) return reader.error();
    return document.error("Is not object");
  }
  TG_ASSIGN_OR_RETURN(document.members_, member_positions(reader));
  if (!reader.at_end()) return reader.error();
  return document;
}

std::optional<JsonReader> RequestDocument::find(std::string_view key) const {
  auto member = std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.first == key; });
  if (member == members_.end()) return std::nullopt;
  JsonReader reader(text_);
  reader.seek(member->second);
  return reader;
}

absl::StatusOr<std::string> RequestDocument::signature_name() const {
  std::string name;
  std::optional<JsonReader> reader = find("signature_name");
  if (!reader) return name;
  if (reader->peek() != '"') return error("not formatted correctly. 'signature_name' key must be a string value.");
  if (!reader->read_string(name)) return reader->error();
  return name;
}

absl::Status RequestDocument::error(std::string_view problem) const {
  return absl::InvalidArgumentError(base::cat("JSON Value: ", quote_value(JsonReader(text_)), " ", problem));
}

}  // namespace tidegate::serving::tfs
