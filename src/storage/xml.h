#pragma once
// The little XML that object stores answer with: elements and text. Attributes, comments and processing instructions
// are skipped; a document type declaration is refused (it is how XML parsers are attacked), and so is deep nesting.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

namespace tidegate::storage {

struct XmlElement {
  std::string name;  // without a namespace prefix
  std::string text;  // the element's own character data, entities resolved; white space as it is
  std::vector<XmlElement> children;

  // The first child of that name, or null.
  const XmlElement* child(std::string_view name) const;
  // The text of the first child of that name, or empty.
  std::string_view child_text(std::string_view name) const;
};

// The root element. INVALID_ARGUMENT says at which byte the document is not well-formed, or beyond 32 levels.
absl::StatusOr<XmlElement> parse_xml(std::string_view document);

}  // namespace tidegate::storage
