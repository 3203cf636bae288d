// What an object store answers: XML, listings and errors.
#include "fuzz/fuzzing.h"
#include "storage/s3_protocol.h"
#include "storage/xml.h"

namespace tidegate::fuzz {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<') out += "&lt;";
    if (c == '&') out += "&amp;";
    if (c != '<' && c != '&') out += c;
  }
  return out;
}

std::string print(const storage::XmlElement& element) {
  std::string out = "<" + element.name + ">" + escaped(element.text);
  for (const storage::XmlElement& child : element.children) out += print(child);
  return out + "</" + element.name + ">";
}

bool same(const storage::XmlElement& a, const storage::XmlElement& b) {
  return a.name == b.name && a.text == b.text &&
         std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(), same);
}

int depth(const storage::XmlElement& element) {
  int deepest = 0;
  for (const storage::XmlElement& child : element.children) deepest = std::max(deepest, depth(child));
  return deepest + 1;
}

void read_xml(std::string_view text) {
  auto root = storage::parse_xml(text);
  if (!root.ok()) return require_client_error(root.status());
  require(depth(*root) <= 32, "a document is no deeper than 32 levels");
  std::string again = print(*root);
  auto back = storage::parse_xml(again);
  require(back.ok() && same(*root, *back), "a document that is written anew means the same", again);
}

void read_listing(std::string_view text) {
  auto page = storage::parse_list_answer(text);
  if (!page.ok()) return require(page.status().code() == absl::StatusCode::kInternal, "a store's fault is INTERNAL");
  for (const storage::ObjectInfo& object : page->objects) require(!object.key.empty(), "an object has a key");
}

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate;
  std::string_view text = fuzz::as_text(data, size);
  fuzz::read_xml(text);
  fuzz::read_listing(text);
  net::HttpResponse answer;
  answer.status = 400;
  answer.body = text;
  storage::is_transient(answer);
  fuzz::require(!storage::error_of_answer(answer, "key").ok(), "an error is one");
  return 0;
}
