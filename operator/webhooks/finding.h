#pragma once
// What a rule has to say about an object. docs/validation.md lists the rules by their numbers, which never change.
#include <string>
#include <vector>

namespace tidegate::operator_ {

enum class Severity {
  kDeny,  // the object is not admitted
  kWarn,  // it is, and the person who applies it is told
};

struct Finding {
  Severity severity = Severity::kWarn;
  const char* rule = "";  // "V5", "W11"
  std::string path;       // "spec.traffic.hosts[0]"
  std::string message;    // what is wrong and what would be right; does not repeat the path

  friend bool operator==(const Finding& a, const Finding& b) {
    return a.severity == b.severity && std::string_view(a.rule) == b.rule && a.path == b.path && a.message == b.message;
  }
};

using Findings = std::vector<Finding>;

}  // namespace tidegate::operator_
