#pragma once
// A forward reader over JSON text that decodes numbers straight into tensors. Strict, but for the bare NaN, Inf and
// Infinity that TensorFlow Serving takes; never recursive, so nesting costs no stack; its errors have the words and
// offsets that TensorFlow Serving's (RapidJSON's) have.
//
// A function that returns false has set error(), and the reader is of no further use.
#include <absl/status/status.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace tidegate::serving {

struct JsonNumber {
  double value = 0;
  // Set for literals without fraction or exponent whose magnitude fits 64 bits.
  bool integer = false;
  bool negative = false;
  uint64_t magnitude = 0;

  // Whether the number is an integer of that type's range.
  template <class Int>
  bool fits() const;
};

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  // The first character of what comes next, white space skipped; 0 at the end.
  char peek();
  // Steps over `c` if it comes next.
  bool consume(char c);
  size_t position() const { return position_; }
  void seek(size_t position) { position_ = position; }
  std::string_view text() const { return text_; }

  bool read_string(std::string& out);
  // A number, or NaN or an infinity.
  bool read_number(JsonNumber& out);
  // "true", "false" or "null", as `word` says.
  bool read_word(std::string_view word);
  // A member's name and its colon; `{` or `,` is behind, white space may come.
  bool read_key(std::string& out);
  // After a member or element: true and `more` if a comma follows, true and not `more` if `close` does.
  bool read_separator(char close, bool& more);
  // Steps over a whole value, checking its grammar.
  bool skip_value();
  // Nothing but white space may come.
  bool at_end();

  // Whether the value that comes next is an object with the one member "b64", a string. Does not move.
  bool at_base64_object();

  bool fail(std::string_view message);
  // INVALID_ARGUMENT "JSON Parse error: … at offset: N".
  const absl::Status& error() const { return error_; }

 private:
  bool read_short_number(JsonNumber& out);
  bool skip_short_number();
  bool skip_scalar(char first);
  bool fail_at_separator(char close);
  bool read_escape(std::string& out);
  bool read_hex(uint32_t& out);

  std::string_view text_;
  size_t position_ = 0;
  absl::Status error_;
};

// "Null", "True", "False", "Object", "Array", "String", "Number", by a value's first character.
std::string_view json_type_name(char first);

// The text of the value at the reader's position, cut to a readable length. For error messages.
std::string quote_value(JsonReader reader);

// What comes once an element, or more often, is inline.
inline char JsonReader::peek() {
  for (; position_ < text_.size(); ++position_) {
    const char c = text_[position_];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return c;
  }
  return 0;
}

inline bool JsonReader::consume(char c) {
  if (peek() != c || position_ >= text_.size()) return false;
  ++position_;
  return true;
}

inline bool JsonReader::read_separator(char close, bool& more) {
  const char c = peek();
  if (c != ',' && c != close) return fail_at_separator(close);
  ++position_;
  more = c == ',';
  return true;
}

template <class Int>
bool JsonNumber::fits() const {
  if (!integer) return false;
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<Int>::max());
  if (!negative) return magnitude <= kMax;
  return std::is_signed_v<Int> ? magnitude <= kMax + 1 : magnitude == 0;
}

}  // namespace tidegate::serving
