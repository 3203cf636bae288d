#include "storage/xml.h"

#include <charconv>
#include <optional>

#include "base/status.h"
#include "base/strings.h"
#include "base/utf8.h"

namespace tidegate::storage {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::string_view kSpace = " \t\r\n";

// `name` is what stands between & and ;
bool append_entity(std::string& out, std::string_view name) {
  if (name == "lt") return out += '<', true;
  if (name == "gt") return out += '>', true;
  if (name == "amp") return out += '&', true;
  if (name == "quot") return out += '"', true;
  if (name == "apos") return out += '\'', true;
  if (name.size() < 2 || name[0] != '#') return false;
  const bool hexadecimal = name[1] == 'x';
  const std::string_view digits = name.substr(hexadecimal ? 2 : 1);
  uint32_t point = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), point, hexadecimal ? 16 : 10);
  const bool is_character = point != 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
  if (error != std::errc() || end != digits.end() || !is_character) return false;
  base::append_utf8(out, point);
  return true;
}

class Parser {
 public:
  explicit Parser(std::string_view document) : text_(document) {}

  absl::StatusOr<XmlElement> parse() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    TG_RETURN_IF_ERROR(skip_between_elements());
    XmlElement root;
    TG_RETURN_IF_ERROR(parse_element(root, 0));
    TG_RETURN_IF_ERROR(skip_between_elements());
    if (at_ != text_.size()) return error("text after the root element");
    return root;
  }

 private:
  absl::Status error(std::string_view what) const {
    return absl::InvalidArgumentError(base::cat("not well-formed XML at byte ", at_, ": ", what));
  }
  bool starts_with(std::string_view token) const { return text_.substr(at_).starts_with(token); }
  bool take(std::string_view token) {
    if (!starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void skip_space() { at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size()); }

  absl::Status skip_past(std::string_view token) {
    const size_t end = text_.find(token, at_);
    if (end == std::string_view::npos) return error(base::cat("no ", token));
    at_ = end + token.size();
    return absl::OkStatus();
  }

  // True in *skipped when a comment or a processing instruction stood here.
  absl::Status skip_markup(bool* skipped) {
    *skipped = true;
    if (starts_with("<!--")) return skip_past("-->");
    if (starts_with("<?")) return skip_past("?>");
    if (starts_with("<!DOCTYPE")) return error("a document type declaration is not accepted");
    *skipped = false;
    return absl::OkStatus();
  }

  absl::Status skip_between_elements() {
    for (bool skipped = true; skipped;) {
      skip_space();
      TG_RETURN_IF_ERROR(skip_markup(&skipped));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> parse_name() {
    const size_t end = std::min(text_.find_first_of(" \t\r\n/>=<&\"'", at_), text_.size());
    if (end == at_) return error("a name is missing");
    std::string name(text_.substr(at_, end - at_));
    const size_t colon = name.rfind(':');
    if (colon != std::string::npos) name.erase(0, colon + 1);
    if (name.empty() || std::string_view("!?-.0123456789").find(name.front()) != std::string_view::npos) {
      return error("a name begins with what no name begins with");
    }
    at_ = end;
    return name;
  }

  absl::Status skip_attributes() {
    for (skip_space(); at_ < text_.size() && text_[at_] != '>' && text_[at_] != '/'; skip_space()) {
      TG_RETURN_IF_ERROR(parse_name().status());
      skip_space();
      if (!take("=")) return error("an attribute without a value");
      skip_space();
      const char quote = at_ < text_.size() ? text_[at_] : '\0';
      if (quote != '"' && quote != '\'') return error("an attribute's value without quotes");
      ++at_;
      TG_RETURN_IF_ERROR(skip_past(std::string_view(&quote, 1)));
    }
    return absl::OkStatus();
  }

  absl::Status parse_element(XmlElement& element, int depth) {
    if (depth >= kMaxDepth) return error("nested too deeply");
    if (!take("<")) return error("an element is missing");
    TG_ASSIGN_OR_RETURN(element.name, parse_name());
    TG_RETURN_IF_ERROR(skip_attributes());
    if (take("/>")) return absl::OkStatus();
    if (!take(">")) return error("a tag without an end");
    TG_RETURN_IF_ERROR(parse_content(element, depth));
    TG_ASSIGN_OR_RETURN(const std::string closing, parse_name());
    skip_space();
    if (closing != element.name || !take(">")) return error(base::cat("<", element.name, "> is not closed"));
    return absl::OkStatus();
  }

  // Up to and including the "</" of the element.
  absl::Status parse_content(XmlElement& element, int depth) {
    while (at_ < text_.size()) {
      bool skipped = false;
      TG_RETURN_IF_ERROR(skip_markup(&skipped));
      if (skipped) continue;
      if (take("</")) return absl::OkStatus();
      if (starts_with("<![CDATA[")) {
        TG_RETURN_IF_ERROR(parse_cdata(element));
      } else if (starts_with("<")) {
        TG_RETURN_IF_ERROR(parse_element(element.children.emplace_back(), depth + 1));
      } else {
        TG_RETURN_IF_ERROR(parse_text(element));
      }
    }
    return error(base::cat("<", element.name, "> is not closed"));
  }

  absl::Status parse_cdata(XmlElement& element) {
    const size_t begin = at_ + std::string_view("<![CDATA[").size();
    TG_RETURN_IF_ERROR(skip_past("]]>"));
    element.text += text_.substr(begin, at_ - 3 - begin);
    return absl::OkStatus();
  }

  absl::Status parse_text(XmlElement& element) {
    while (at_ < text_.size() && text_[at_] != '<') {
      if (text_[at_] != '&') {
        element.text += text_[at_++];
        continue;
      }
      const size_t end = text_.find(';', at_);
      if (end == std::string_view::npos || !append_entity(element.text, text_.substr(at_ + 1, end - at_ - 1))) {
        return error("an unknown entity");
      }
      at_ = end + 1;
    }
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view name) const {
  for (const XmlElement& element : children) {
    if (element.name == name) return &element;
  }
  return nullptr;
}

std::string_view XmlElement::child_text(std::string_view name) const {
  const XmlElement* element = child(name);
  return element ? std::string_view(element->text) : std::string_view();
}

absl::StatusOr<XmlElement> parse_xml(std::string_view document) { return Parser(document).parse(); }

}  // namespace tidegate::storage
