#pragma once
// Label selectors as the API server reads them: "a=b,c!=d,e,!f,g in (x,y),h notin (z)". Used by FakeApiServer.
#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <vector>

namespace tidegate::kube {

class LabelSelector {
 public:
  // INVALID_ARGUMENT names the term that cannot be read.
  static absl::StatusOr<LabelSelector> parse(const std::string& text);
  bool matches(const std::map<std::string, std::string>& labels) const;

 private:
  enum class Operator { kIn, kNotIn, kExists, kAbsent };
  struct Term {
    std::string label;
    Operator op;
    std::vector<std::string> values;
  };
  static absl::StatusOr<Term> parse_term(const std::string& text);
  std::vector<Term> terms_;
};

}  // namespace tidegate::kube
