#include "serving-runtime/api/json/json_reader.h"

#include <array>
#include <charconv>

#include "base/strings.h"
#include "base/utf8.h"
#include "serving-runtime/core/quote.h"

namespace tidegate::serving {
namespace {

constexpr std::array<double, 23> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A literal's digits as they are scanned.
struct Digits {
  uint64_t mantissa = 0;
  int significant = 0;  // digits in the mantissa; beyond 19 it no longer holds them all
  int exponent = 0;

  void add(char c) {
    if (significant < 19) mantissa = mantissa * 10 + static_cast<uint64_t>(c - '0');
    if (significant > 0 || c != '0') ++significant;
  }
};

// Exact when mantissa and power of ten are both exact doubles (Clinger, "How to Read Floating Point Numbers
// Accurately", 1990); the library does the rest.
bool to_double(const Digits& digits, std::string_view literal, double& out) {
  if (digits.significant <= 15 && digits.exponent >= -22 && digits.exponent <= 22) {
    auto mantissa = static_cast<double>(digits.mantissa);
    out = digits.exponent < 0 ? mantissa / kPowersOfTen[static_cast<size_t>(-digits.exponent)]
                              : mantissa * kPowersOfTen[static_cast<size_t>(digits.exponent)];
    return true;
  }
  auto result = std::from_chars(literal.data(), literal.data() + literal.size(), out);
  if (result.ec == std::errc::result_out_of_range && digits.exponent + digits.significant < 0) {
    out = 0;  // too small is zero, too big is an error
    return true;
  }
  return result.ec == std::errc();
}

}  // namespace

bool JsonReader::fail(std::string_view message) {
  if (error_.ok()) {
    error_ = absl::InvalidArgumentError(base::cat("JSON Parse error: ", message, " at offset: ", position_));
  }
  return false;
}

bool JsonReader::read_word(std::string_view word) {
  if (text_.substr(position_, word.size()) != word) return fail("Invalid value.");
  position_ += word.size();
  return true;
}

bool JsonReader::read_hex(uint32_t& out) {
  out = 0;
  for (int i = 0; i < 4; ++i, ++position_) {
    char c = position_ < text_.size() ? text_[position_] : 0;
    uint32_t digit = is_digit(c)            ? c - '0'
                     : c >= 'a' && c <= 'f' ? c - 'a' + 10
                     : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                            : 16;
    if (digit == 16) return fail("Incorrect hex digit after \\u escape in string.");
    out = out << 4 | digit;
  }
  return true;
}

// Behind the backslash.
bool JsonReader::read_escape(std::string& out) {
  char c = position_ < text_.size() ? text_[position_++] : 0;
  switch (c) {
    case '"':
    case '\\':
    case '/':
      out.push_back(c);
      return true;
    case 'b':
      out.push_back('\b');
      return true;
    case 'f':
      out.push_back('\f');
      return true;
    case 'n':
      out.push_back('\n');
      return true;
    case 'r':
      out.push_back('\r');
      return true;
    case 't':
      out.push_back('\t');
      return true;
    case 'u':
      break;
    default:
      --position_;
      return fail("Invalid escape character in string.");
  }
  uint32_t code = 0, low = 0;
  if (!read_hex(code)) return false;
  if (code >= 0xd800 && code <= 0xdfff) {
    if (code > 0xdbff || text_.substr(position_, 2) != "\\u") return fail("The surrogate pair in string is invalid.");
    position_ += 2;
    if (!read_hex(low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return fail("The surrogate pair in string is invalid.");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  base::append_utf8(out, code);
  return true;
}

bool JsonReader::read_string(std::string& out) {
  out.clear();
  if (!consume('"')) return fail("Invalid value.");
  for (;;) {
    size_t begin = position_;
    while (position_ < text_.size() && text_[position_] != '"' && text_[position_] != '\\' &&
           static_cast<unsigned char>(text_[position_]) >= 0x20) {
      ++position_;
    }
    out.append(text_, begin, position_ - begin);
    if (position_ >= text_.size()) return fail("Missing a closing quotation mark in string.");
    char c = text_[position_];
    if (c == '"') {
      ++position_;
      return true;
    }
    if (c != '\\') return fail("Invalid encoding in string.");
    ++position_;
    if (!read_escape(out)) return false;
  }
}

// Most numbers: a few digits, perhaps with a point among them. False, and nothing read, for all others.
bool JsonReader::read_short_number(JsonNumber& out) {
  constexpr ptrdiff_t kMostDigits = 18;           // that a mantissa holds
  constexpr uint64_t kExact = uint64_t{1} << 53;  // up to which every integer is a double
  const char *at = text_.data() + position_, *const end = text_.data() + text_.size();
  const bool negative = at < end && *at == '-';
  const char* const whole = at += negative ? 1 : 0;
  uint64_t mantissa = 0;
  auto take_digits = [&] {
    const char* const begin = at;
    for (; at < end && is_digit(*at); ++at) mantissa = mantissa * 10 + static_cast<uint64_t>(*at - '0');
    return at - begin;
  };
  const ptrdiff_t integral = take_digits();
  ptrdiff_t fraction = 0;
  const bool pointed = at < end && *at == '.';
  if (pointed) ++at, fraction = take_digits();
  const bool is_long = integral + fraction > kMostDigits || mantissa > kExact || (at < end && (*at | 0x20) == 'e');
  if (is_long || integral == 0 || (integral > 1 && *whole == '0') || (pointed && fraction == 0)) return false;
  position_ = static_cast<size_t>(at - text_.data());
  const double value = static_cast<double>(mantissa) / kPowersOfTen[static_cast<size_t>(fraction)];
  out = {negative ? -value : value, !pointed, negative, pointed ? 0 : mantissa};
  return true;
}

// The same without its value, of more digits, and with an exponent of at most two.
bool JsonReader::skip_short_number() {
  constexpr ptrdiff_t kMostDigits = 200;  // with such an exponent still a double
  const char *at = text_.data() + position_, *const end = text_.data() + text_.size();
  auto skip_digits = [&] {
    const char* const begin = at;
    while (at < end && is_digit(*at)) ++at;
    return at - begin;
  };
  if (at < end && *at == '-') ++at;
  const char* const whole = at;
  const ptrdiff_t integral = skip_digits();
  if (integral == 0 || integral > kMostDigits || (integral > 1 && *whole == '0')) return false;
  if (at < end && *at == '.' && (++at, skip_digits()) == 0) return false;
  if (at < end && (*at | 0x20) == 'e') {
    if (++at < end && (*at == '-' || *at == '+')) ++at;
    const ptrdiff_t exponent = skip_digits();
    if (exponent == 0 || exponent > 2) return false;
  }
  position_ = static_cast<size_t>(at - text_.data());
  return true;
}

bool JsonReader::read_number(JsonNumber& out) {
  peek();
  if (read_short_number(out)) return true;
  size_t begin = position_;
  out = JsonNumber{};
  out.negative = consume('-');
  char first = position_ < text_.size() ? text_[position_] : 0;
  if (first == 'N' || first == 'I') {
    out.value = first == 'N' ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    if (out.negative) out.value = -out.value;
    if (first == 'N') return read_word("NaN");
    return text_.substr(position_, 8) == "Infinity" ? read_word("Infinity") : read_word("Inf");
  }
  if (!is_digit(first)) return fail("Invalid value.");
  Digits digits;
  auto take_digits = [&] {
    size_t start = position_;
    for (; position_ < text_.size() && is_digit(text_[position_]); ++position_) digits.add(text_[position_]);
    return position_ - start;
  };
  bool plain = true;
  if (first == '0') {
    ++position_;  // a zero stands alone
  } else {
    take_digits();
  }
  if (position_ < text_.size() && text_[position_] == '.') {
    plain = false;
    ++position_;
    size_t fraction = take_digits();
    if (fraction == 0) return fail("Miss fraction part in number.");
    digits.exponent = -static_cast<int>(fraction);
  }
  if (position_ < text_.size() && (text_[position_] | 0x20) == 'e') {
    plain = false;
    ++position_;
    bool minus = position_ < text_.size() && text_[position_] == '-';
    if (position_ < text_.size() && (minus || text_[position_] == '+')) ++position_;
    if (position_ >= text_.size() || !is_digit(text_[position_])) return fail("Miss exponent in number.");
    int exponent = 0;
    for (; position_ < text_.size() && is_digit(text_[position_]); ++position_) {
      if (exponent < 100'000) exponent = exponent * 10 + (text_[position_] - '0');
    }
    digits.exponent += minus ? -exponent : exponent;
  }
  std::string_view literal = text_.substr(begin, position_ - begin);
  if (!to_double(digits, literal.substr(out.negative ? 1 : 0), out.value)) {
    return fail("Number too big to be stored in double.");
  }
  if (out.negative) out.value = -out.value;
  if (plain) {
    std::string_view magnitude = literal.substr(out.negative ? 1 : 0);
    out.integer =
        std::from_chars(magnitude.data(), magnitude.data() + magnitude.size(), out.magnitude).ec == std::errc();
  }
  return true;
}

bool JsonReader::read_key(std::string& out) {
  if (peek() != '"') return fail("Missing a name for object member.");
  if (!read_string(out)) return false;
  return consume(':') || fail("Missing a colon after a name of object member.");
}

bool JsonReader::fail_at_separator(char close) {
  return fail(close == ']' ? "Missing a comma or ] after an array element."
                           : "Missing a comma or } after an object member.");
}

bool JsonReader::skip_scalar(char first) {
  if (skip_short_number()) return true;
  std::string text;
  JsonNumber number;
  switch (first) {
    case '"':
      return read_string(text);
    case 't':
      return read_word("true");
    case 'f':
      return read_word("false");
    case 'n':
      return read_word("null");
    default:
      return read_number(number);
  }
}

bool JsonReader::skip_value() {
  std::string open, key;  // `open`: the brackets that are still to be closed
  for (;;) {
    char c = peek();
    bool opened = false;
    if (c == '[' || c == '{') {
      ++position_;
      char close = c == '[' ? ']' : '}';
      if (!consume(close)) {
        open.push_back(close);
        opened = true;
        if (close == '}' && !read_key(key)) return false;
      }
    } else if (!skip_scalar(c)) {
      return false;
    }
    bool more = opened;
    while (!more) {
      if (open.empty()) return true;
      if (!read_separator(open.back(), more)) return false;
      if (!more)
        open.pop_back();
      else if (open.back() == '}' && !read_key(key))
        return false;
    }
  }
}

bool JsonReader::at_end() {
  if (peek() == 0 && position_ >= text_.size()) return true;
  return fail("The document root must not be followed by other values.");
}

bool JsonReader::at_base64_object() {
  JsonReader probe = *this;
  std::string text;
  return probe.consume('{') && probe.peek() == '"' && probe.read_key(text) && text == "b64" && probe.peek() == '"' &&
         probe.read_string(text) && probe.consume('}');
}

std::string_view json_type_name(char first) {
  switch (first) {
    case '{':
      return "Object";
    case '[':
      return "Array";
    case '"':
      return "String";
    case 't':
      return "True";
    case 'f':
      return "False";
    case 'n':
      return "Null";
    default:
      return "Number";
  }
}

std::string quote_value(JsonReader reader) {
  reader.peek();
  size_t begin = reader.position();
  reader.skip_value();
  std::string_view value = reader.text().substr(begin, reader.position() - begin);
  return quote(value);
}

}  // namespace tidegate::serving
