#pragma once
// JSON objects and lists member by member, for documents of a known form. Errors are INVALID_ARGUMENT and say which
// member (`what`) is not what it must be.
#include <absl/status/status.h>

#include <string>
#include <string_view>

#include "base/status.h"
#include "serving-runtime/api/json/json_reader.h"

namespace tidegate::serving {

// Calls `member(key)` for each member of the object that comes next; it must step over the value.
template <class Member>
absl::Status read_object(JsonReader& reader, Member member) {
  if (!reader.consume('{')) {
    return absl::InvalidArgumentError(base::cat("JSON Value: ", quote_value(reader), " is not an object"));
  }
  std::string key;
  for (bool more = !reader.consume('}'); more;) {
    if (!reader.read_key(key)) return reader.error();
    TG_RETURN_IF_ERROR(member(key));
    if (!reader.read_separator('}', more)) return reader.error();
  }
  return absl::OkStatus();
}

inline absl::Status skip_value(JsonReader& reader) { return reader.skip_value() ? absl::OkStatus() : reader.error(); }

// As read_object, but a member that is null counts as absent: clients made from a schema send what they leave out so.
template <class Member>
absl::Status read_members(JsonReader& reader, Member member) {
  return read_object(reader, [&](const std::string& key) -> absl::Status {
    return reader.peek() == 'n' ? skip_value(reader) : member(key);
  });
}

// Calls `element()` for each element of the list that comes next; it must step over it.
template <class Element>
absl::Status read_array(JsonReader& reader, Element element) {
  if (!reader.consume('[')) {
    return absl::InvalidArgumentError(base::cat("JSON Value: ", quote_value(reader), " is not an array"));
  }
  for (bool more = !reader.consume(']'); more;) {
    TG_RETURN_IF_ERROR(element());
    if (!reader.read_separator(']', more)) return reader.error();
  }
  return absl::OkStatus();
}

absl::Status read_text(JsonReader& reader, std::string_view what, std::string& out);
absl::Status read_flag(JsonReader& reader, std::string_view what, bool& out);

// Whether a number comes next, bare NaN and infinities not counted.
inline bool at_number(JsonReader& reader) {
  char first = reader.peek();
  return first == '-' || (first >= '0' && first <= '9');
}

template <class Int>
absl::Status read_whole_number(JsonReader& reader, std::string_view what, Int& out) {
  JsonNumber number;
  bool numeric = at_number(reader);
  if (numeric && !reader.read_number(number)) return reader.error();
  if (!numeric || !number.fits<Int>()) return absl::InvalidArgumentError(base::cat(what, " must be a whole number"));
  out = static_cast<Int>(number.negative ? uint64_t{0} - number.magnitude : number.magnitude);
  return absl::OkStatus();
}

}  // namespace tidegate::serving
