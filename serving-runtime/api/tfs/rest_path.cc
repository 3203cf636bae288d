#include "serving-runtime/api/tfs/rest_path.h"

#include <algorithm>
#include <charconv>

#include "base/status.h"
#include "serving-runtime/api/percent.h"

namespace tidegate::serving::tfs {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// Takes `word` (lower case) off the front of `rest`, case ignored.
bool take(std::string_view& rest, std::string_view word) {
  if (lower(rest.substr(0, word.size())) != word) return false;
  rest.remove_prefix(word.size());
  return true;
}

// [^/:]+
std::string_view take_name(std::string_view& rest) {
  size_t end = std::min(rest.find_first_of("/:"), rest.size());
  std::string_view name = rest.substr(0, end);
  rest.remove_prefix(end);
  return name;
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

absl::StatusOr<int64_t> to_version(std::string_view text) {
  int64_t version = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), version);
  if (result.ec == std::errc()) return version;
  return absl::InvalidArgumentError(base::cat("Failed to convert version: ", text, " to numeric."));
}

// Paths are the same in any case, verbs are not: TensorFlow Serving compares them after its expression has matched.
bool take_verb(std::string_view& rest, bool post, Verb& verb) {
  if (!post) {
    verb = rest == "/metadata" ? Verb::kMetadata : Verb::kStatus;
    take(rest, "/metadata");
    return rest.empty();
  }
  if (rest == ":predict")
    verb = Verb::kPredict;
  else if (rest == ":classify")
    verb = Verb::kClassify;
  else if (rest == ":regress")
    verb = Verb::kRegress;
  else
    return false;
  return true;
}

}  // namespace

absl::StatusOr<RestPath> parse_rest_path(std::string_view method, std::string_view path) {
  absl::Status malformed = absl::InvalidArgumentError(base::cat("Malformed request: ", method, " ", path));
  bool post = method == "POST";
  std::string_view rest = path, version;
  RestPath parsed;
  if ((!post && method != "GET") || !take(rest, "/v1/models")) return malformed;
  if (!post && rest.empty()) return absl::InvalidArgumentError("Missing model name in request.");
  if (!take(rest, "/")) return malformed;
  std::string_view name = take_name(rest);
  if (name.empty()) return malformed;
  if (take(rest, "/versions/")) {
    version = take_name(rest);
    if (!all_digits(version)) return malformed;
  } else if (take(rest, "/labels/")) {
    std::string_view label = take_name(rest);
    if (label.empty()) return malformed;
    parsed.model.label = percent_decode(label);
    if (!parsed.model.label)
      return absl::InvalidArgumentError(base::cat("Failed to decode model version label:", label));
  }
  if (!take_verb(rest, post, parsed.verb)) return malformed;
  auto decoded = percent_decode(name);
  if (!decoded) return absl::InvalidArgumentError(base::cat("Failed to decode model name:", name));
  parsed.model.name = *std::move(decoded);
  if (!version.empty()) {
    TG_ASSIGN_OR_RETURN(parsed.model.version, to_version(version));
  }
  return parsed;
}

}  // namespace tidegate::serving::tfs
