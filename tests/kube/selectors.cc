#include "kube/selectors.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_split.h>

#include <algorithm>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

std::string trimmed(absl::string_view text) { return std::string(absl::StripAsciiWhitespace(text)); }

// At commas outside of parentheses.
std::vector<std::string> split_terms(const std::string& text) {
  std::vector<std::string> terms(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth == 0) {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  return terms;
}

}  // namespace

absl::StatusOr<LabelSelector::Term> LabelSelector::parse_term(const std::string& text) {
  const std::string term = trimmed(text);
  if (term.empty()) return absl::InvalidArgumentError("an empty term in the label selector");
  if (term[0] == '!') return Term{trimmed(term.substr(1)), Operator::kAbsent, {}};
  const size_t open = term.find('(');
  if (open != std::string::npos) {
    const std::vector<std::string> words = absl::StrSplit(term.substr(0, open), ' ', absl::SkipWhitespace());
    if (words.size() != 2 || term.back() != ')' || (words[1] != "in" && words[1] != "notin")) {
      return absl::InvalidArgumentError(base::cat("cannot read '", term, "' in the label selector"));
    }
    std::vector<std::string> values;
    for (absl::string_view value : absl::StrSplit(term.substr(open + 1, term.size() - open - 2), ',')) {
      values.push_back(trimmed(value));
    }
    return Term{words[0], words[1] == "in" ? Operator::kIn : Operator::kNotIn, values};
  }
  const size_t equals = term.find('=');
  if (equals == std::string::npos) return Term{term, Operator::kExists, {}};
  const bool negated = equals > 0 && term[equals - 1] == '!';
  const size_t value = term.find_first_not_of('=', equals);
  return Term{trimmed(term.substr(0, negated ? equals - 1 : equals)),
              negated ? Operator::kNotIn : Operator::kIn,
              {value == std::string::npos ? "" : trimmed(term.substr(value))}};
}

absl::StatusOr<LabelSelector> LabelSelector::parse(const std::string& text) {
  LabelSelector selector;
  if (text.empty()) return selector;
  for (const std::string& part : split_terms(text)) {
    absl::StatusOr<Term> term = parse_term(part);
    if (!term.ok()) return term.status();
    selector.terms_.push_back(*std::move(term));
  }
  return selector;
}

bool LabelSelector::matches(const std::map<std::string, std::string>& labels) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const auto label = labels.find(term.label);
    const bool exists = label != labels.end();
    const bool listed = exists && std::find(term.values.begin(), term.values.end(), label->second) != term.values.end();
    switch (term.op) {
      case Operator::kIn:
        return listed;
      case Operator::kNotIn:
        return !listed;
      case Operator::kExists:
        return exists;
      case Operator::kAbsent:
        return !exists;
    }
    return false;
  });
}

}  // namespace tidegate::kube
