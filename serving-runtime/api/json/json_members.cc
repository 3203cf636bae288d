#include "serving-runtime/api/json/json_members.h"

namespace tidegate::serving {

absl::Status read_text(JsonReader& reader, std::string_view what, std::string& out) {
  if (reader.peek() != '"') return absl::InvalidArgumentError(base::cat(what, " must be a string"));
  return reader.read_string(out) ? absl::OkStatus() : reader.error();
}

absl::Status read_flag(JsonReader& reader, std::string_view what, bool& out) {
  char first = reader.peek();
  if (first != 't' && first != 'f') return absl::InvalidArgumentError(base::cat(what, " must be true or false"));
  out = first == 't';
  return reader.read_word(out ? "true" : "false") ? absl::OkStatus() : reader.error();
}

}  // namespace tidegate::serving
