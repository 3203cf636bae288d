#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "serving-runtime/tools/loaded.h"
#include "serving-runtime/tools/model_tools.h"
#include "serving-runtime/tools/output_difference.h"
#include "serving-runtime/tools/sample_inputs.h"

namespace tidegate::serving {
namespace {

using Json = nlohmann::ordered_json;
using Specs = std::vector<model::TensorSpec>;
using Inputs = std::vector<NamedTensor>;

struct Side {
  std::shared_ptr<const Servable> servable;
  const model::Signature* signature = nullptr;
};

absl::StatusOr<Side> load_side(const std::string& folder, const std::string& signature, const BackendSource& backends) {
  Side side;
  TG_ASSIGN_OR_RETURN(side.servable, load_folder(folder, backends));
  TG_ASSIGN_OR_RETURN(side.signature, find_signature(*side.servable, signature));
  return side;
}

std::string names_of(const Specs& specs) {
  std::string names;
  for (const model::TensorSpec& spec : specs) base::append(names, base::cat(names.empty() ? "" : ", ", spec.name));
  return names;
}

// The name on the other side of each of `before`'s: converters rename what there is only one of, and keep the rest.
absl::StatusOr<std::map<std::string, std::string>> match(std::string_view what, const Specs& before,
                                                         const Specs& after) {
  std::map<std::string, std::string> names;
  if (before.size() == 1 && after.size() == 1)
    return std::map<std::string, std::string>{{before[0].name, after[0].name}};
  for (const model::TensorSpec& spec : before) {
    const bool there =
        std::any_of(after.begin(), after.end(), [&](const auto& other) { return other.name == spec.name; });
    if (there) names[spec.name] = spec.name;
  }
  if (names.size() == before.size() && before.size() == after.size()) return names;
  return absl::InvalidArgumentError(
      base::cat("the ", what, " have different names: ", names_of(before), " before, ", names_of(after), " after"));
}

// Neither library says it in words that name both.
absl::Status check_types(const Specs& before, const Specs& after, const std::map<std::string, std::string>& names) {
  for (const model::TensorSpec& spec : before) {
    const auto other = std::find_if(after.begin(), after.end(),
                                    [&](const auto& candidate) { return candidate.name == names.at(spec.name); });
    if (other->type == spec.type) continue;
    return absl::InvalidArgumentError(base::cat("the inputs have different types: ", spec.name, " is ",
                                                model::tensorflow_name(spec.type), " before, ", other->name, " is ",
                                                model::tensorflow_name(other->type), " after"));
  }
  return absl::OkStatus();
}

class Comparison {
 public:
  Comparison(Side before, Side after) : before_(std::move(before)), after_(std::move(after)) {}

  absl::Status prepare() {
    TG_ASSIGN_OR_RETURN(inputs_, match("inputs", before_.signature->inputs, after_.signature->inputs));
    TG_RETURN_IF_ERROR(check_types(before_.signature->inputs, after_.signature->inputs, inputs_));
    TG_ASSIGN_OR_RETURN(outputs_, match("outputs", before_.signature->outputs, after_.signature->outputs));
    return absl::OkStatus();
  }

  absl::Status add(Sample sample) {
    const absl::Status added = add(std::move(sample.inputs));
    return sample.origin.empty() ? added : base::annotate(added, sample.origin);
  }

  const std::map<std::string, OutputDifference>& differences() const { return differences_; }

 private:
  absl::Status add(Inputs inputs) {
    Inputs others;
    for (const NamedTensor& input : inputs) others.push_back({inputs_.at(input.name), copy_of(input.tensor)});
    TG_ASSIGN_OR_RETURN(const auto before, ask(before_, std::move(inputs)));
    TG_ASSIGN_OR_RETURN(const auto after, ask(after_, std::move(others)));
    for (const NamedTensor& output : before) {
      const auto other = std::find_if(after.begin(), after.end(),
                                      [&](const auto& tensor) { return tensor.name == outputs_.at(output.name); });
      TG_RETURN_IF_ERROR(base::annotate(differences_[output.name].add(output.tensor, other->tensor),
                                        base::cat("output ", output.name)));
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<std::vector<NamedTensor>> ask(const Side& side, Inputs inputs) {
    auto outputs = side.servable->predict(*side.signature, std::move(inputs), {});
    if (outputs.ok()) return outputs;
    return base::annotate(outputs.status(), side.servable->folder());
  }

  const Side before_, after_;
  std::map<std::string, std::string> inputs_, outputs_;  // names before to names after
  std::map<std::string, OutputDifference> differences_;
};

std::string as_text(const CompareOptions& options, const std::map<std::string, OutputDifference>& differences) {
  std::ostringstream text;
  text << options.before << " against " << options.after << '\n' << std::setprecision(4);
  for (const auto& [name, difference] : differences) {
    text << "  output " << name << ": " << difference.elements << " elements, " << difference.unequal << " differ";
    if (difference.strings == 0) {
      text << "; |a - b| mean " << difference.mean_absolute() << ", max " << difference.max_absolute
           << "; relative max " << difference.max_relative;
    }
    if (difference.one_is_nan > 0) text << "; NaN or infinite on one side: " << difference.one_is_nan;
    // Not rounded, or all but one would be 100 %.
    if (difference.labels > 0)
      text << "; labels agree " << std::floor(1e4 * difference.label_agreement()) / 100 << " %";
    text << '\n';
  }
  return text.str();
}

std::string as_json(const std::map<std::string, OutputDifference>& differences, bool within) {
  Json outputs = Json::object();
  for (const auto& [name, difference] : differences) {
    outputs[name] = {{"elements", difference.elements},
                     {"unequal", difference.unequal},
                     {"oneIsNan", difference.one_is_nan},
                     {"meanAbsolute", difference.mean_absolute()},
                     {"maxAbsolute", difference.max_absolute},
                     {"maxRelative", difference.max_relative},
                     {"labels", difference.labels},
                     {"labelAgreement", difference.label_agreement()}};
  }
  return Json{{"within", within}, {"outputs", outputs}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool is_within(const OutputDifference& difference, const CompareOptions& options) {
  if (options.least_agreement >= 0 && difference.label_agreement() < options.least_agreement) return false;
  if (options.most_difference < 0) return true;
  if (difference.strings > 0) return difference.unequal == 0;  // nothing tells how far strings are apart
  return difference.one_is_nan == 0 && difference.max_absolute <= options.most_difference;
}

absl::StatusOr<bool> run(const CompareOptions& options, const BackendSource& backends) {
  TG_ASSIGN_OR_RETURN(Side before, load_side(options.before, options.signature, backends));
  TG_ASSIGN_OR_RETURN(Side after, load_side(options.after, options.signature, backends));
  TG_ASSIGN_OR_RETURN(Samples samples, gather_inputs(options.samples, *before.signature));
  Comparison comparison(std::move(before), std::move(after));
  TG_RETURN_IF_ERROR(comparison.prepare());
  for (Sample& sample : samples.requests) TG_RETURN_IF_ERROR(comparison.add(std::move(sample)));
  const auto& differences = comparison.differences();
  const bool labels =
      std::any_of(differences.begin(), differences.end(), [](const auto& output) { return output.second.labels > 0; });
  if (options.least_agreement >= 0 && !labels) {
    return absl::InvalidArgumentError(
        "--min-agreement is about labels, and no output has any: rows of two or more numbers");
  }
  const bool within = std::all_of(differences.begin(), differences.end(),
                                  [&](const auto& output) { return is_within(output.second, options); });
  std::cout << (options.json ? as_json(differences, within) : as_text(options, differences));
  tell_of_failed(samples);
  return within;
}

}  // namespace

int compare(const CompareOptions& options, const BackendSource& backends) {
  const absl::StatusOr<bool> within = run(options, backends);
  if (within.ok()) return *within ? 0 : 1;
  std::cerr << "tidegate-runtime compare: " << within.status().message() << '\n';
  return 2;
}

}  // namespace tidegate::serving
