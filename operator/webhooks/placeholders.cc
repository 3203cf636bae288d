#include "operator/webhooks/placeholders.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace tidegate::operator_ {
namespace {

// What rendering/workload.cc replaces.
constexpr std::array<std::string_view, 3> kKnown{"{{model.name}}", "{{model.version}}", "{{model.dir}}"};

// Other programs have templates in double braces too; ours are those about the model.
bool looks_like_ours(std::string_view name) {
  constexpr size_t kLongest = 40;
  const size_t word = name.find_first_not_of(' ', 2);
  return name.size() <= kLongest && name.substr(word).starts_with("model");
}

void check(const std::string& text, const std::string& path, Findings& findings) {
  for (size_t at = text.find("{{"); at != std::string::npos; at = text.find("{{", at + 2)) {
    const size_t end = text.find("}}", at);
    if (end == std::string::npos) return;
    const std::string_view name = std::string_view(text).substr(at, end + 2 - at);
    if (!looks_like_ours(name) || std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end()) continue;
    findings.push_back(
        {Severity::kWarn, "W14", path,
         base::cat(name, " stays as it is; replaced are {{model.name}}, {{model.version}}, {{model.dir}}")});
  }
}

}  // namespace

void check_placeholders(const std::vector<std::string>& texts, const std::string& path, Findings& findings) {
  for (size_t i = 0; i < texts.size(); ++i) check(texts[i], base::cat(path, "[", i, "]"), findings);
}

void check_placeholders(const std::vector<api::EnvVar>& variables, const std::string& path, Findings& findings) {
  for (size_t i = 0; i < variables.size(); ++i) check(variables[i].value, base::cat(path, "[", i, "].value"), findings);
}

}  // namespace tidegate::operator_
