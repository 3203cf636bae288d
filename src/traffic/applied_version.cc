#include "traffic/applied_version.h"

#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include <charconv>

#include "base/strings.h"

namespace tidegate::traffic {
namespace {

constexpr std::string_view kWithout = " without ";

}  // namespace

std::string to_text(const AppliedVersion& version) {
  std::string text = base::cat(version.resource_version);
  if (!version.without.empty()) text += base::cat(kWithout, absl::StrJoin(version.without, ","));
  return text;
}

AppliedVersion parse_applied_version(std::string_view text) {
  AppliedVersion version;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, version.resource_version);
  std::string_view rest(parsed, static_cast<size_t>(end - parsed));
  if (error != std::errc()) return {};
  if (rest.empty()) return version;
  if (!rest.starts_with(kWithout) || rest.size() == kWithout.size()) return {};
  version.without = absl::StrSplit(std::string(rest.substr(kWithout.size())), ',');
  return version;
}

}  // namespace tidegate::traffic
