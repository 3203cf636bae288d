#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "serving-runtime/repository/warm_up.h"
#include "serving-runtime/tools/loaded.h"
#include "serving-runtime/tools/model_tools.h"
#include "serving-runtime/tools/numbers.h"
#include "serving-runtime/tools/sample_inputs.h"

namespace tidegate::serving {
namespace {

using Json = nlohmann::ordered_json;

// What was found out about one signature.
struct Finding {
  std::string signature;
  int runs = 0;
  std::vector<std::string> faults;    // the model is not fit to serve
  std::vector<std::string> warnings;  // what may be as it should
};

bool fits_shape(const model::TensorSpec& spec, const Shape& shape) {
  return spec.unknown_rank || std::equal(spec.shape.begin(), spec.shape.end(), shape.begin(), shape.end(),
                                         [](int64_t said, int64_t is) { return said < 0 || said == is; });
}

void say_once(std::vector<std::string>& list, std::string text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

void check_output(const model::TensorSpec& spec, const Tensor& output, Finding& finding) {
  if (output.type() != spec.type) {
    say_once(finding.faults, base::cat("output ", spec.name, " is ", model::tensorflow_name(output.type()),
                                       ", its signature says ", model::tensorflow_name(spec.type)));
  }
  if (!fits_shape(spec, output.shape())) {
    say_once(finding.faults, base::cat("output ", spec.name, " has shape ", shape_text(output.shape()),
                                       ", its signature says ", shape_text(spec.shape)));
  }
  if (!has_numbers(output.type())) return;
  const std::vector<double> numbers = numbers_of(output);
  const bool nan = std::any_of(numbers.begin(), numbers.end(), [](double number) { return std::isnan(number); });
  const bool infinite = std::any_of(numbers.begin(), numbers.end(), [](double number) { return std::isinf(number); });
  if (nan) say_once(finding.faults, base::cat("output ", spec.name, " has NaN"));
  if (infinite) say_once(finding.faults, base::cat("output ", spec.name, " has infinite numbers"));
}

// An error is the model's, that refuses the input: its graph may want other values than random ones.
absl::Status run_once(const Servable& servable, const model::Signature& signature, int64_t rows, base::Random& random,
                      Finding& finding) {
  auto inputs = random_inputs(signature, rows, random);
  if (!inputs.ok()) {
    say_once(finding.warnings, base::cat("not run: ", inputs.status().message()));
    return absl::OkStatus();
  }
  TG_ASSIGN_OR_RETURN(const auto outputs, servable.predict(signature, *std::move(inputs), {}));
  ++finding.runs;
  for (size_t i = 0; i < outputs.size(); ++i) check_output(signature.outputs[i], outputs[i].tensor, finding);
  return absl::OkStatus();
}

Finding check_signature(const Servable& servable, const model::Signature& signature, const ValidateOptions& options) {
  Finding finding{signature.name, 0, {}, {}};
  base::SeededRandom random(options.seed);
  int refused = 0;
  absl::Status refusal;
  for (int i = 0; i < options.runs; ++i) {
    absl::Status ran = run_once(servable, signature, options.rows, random, finding);
    if (!ran.ok()) ++refused, refusal = std::move(ran);
  }
  if (refused > 0) {
    finding.warnings.push_back(
        base::cat("it refuses ", refused, " of ", options.runs, " random inputs, the last with: ", refusal.message()));
  }
  return finding;
}

Finding check_warm_up(const Servable& servable) {
  Finding finding{"(warm-up)", 0, {}, {}};
  WarmUpReport report;
  if (absl::Status warmed = warm_up(servable, report); !warmed.ok()) finding.faults.emplace_back(warmed.message());
  finding.runs = report.recorded + report.synthetic;
  return finding;
}

std::string as_text(const ValidateOptions& options, const std::string& backend, const std::vector<Finding>& findings) {
  std::string text = base::cat(options.folder, ": runs on ", backend, "\n");
  for (const Finding& finding : findings) {
    base::append(text, base::cat("  ", finding.signature, ": ", finding.runs, " runs",
                                 finding.faults.empty() && finding.warnings.empty() ? ", fine\n" : "\n"));
    for (const std::string& fault : finding.faults) base::append(text, base::cat("    fault: ", fault, "\n"));
    for (const std::string& warning : finding.warnings) base::append(text, base::cat("    warning: ", warning, "\n"));
  }
  return text;
}

std::string as_json(const std::string& backend, const std::vector<Finding>& findings, bool valid) {
  Json signatures = Json::array();
  for (const Finding& finding : findings) {
    signatures.push_back({{"signature", finding.signature},
                          {"runs", finding.runs},
                          {"faults", finding.faults},
                          {"warnings", finding.warnings}});
  }
  const Json report = {{"valid", valid}, {"backend", backend}, {"signatures", signatures}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int validate(const ValidateOptions& options, const BackendSource& backends) {
  const auto fail = [](const absl::Status& error, int code) {
    std::cerr << "tidegate-runtime validate: " << error.message() << '\n';
    return code;
  };
  // Not even to be loaded is the plainest fault of a model; a folder without one is a mistake of the caller.
  const auto backend = backends(options.folder);
  if (!backend.ok()) return fail(backend.status(), 2);
  const auto servable = load_folder(options.folder, backends);
  if (!servable.ok()) {
    const Finding finding{"(load)", 0, {std::string(servable.status().message())}, {}};
    if (options.json) std::cout << as_json((*backend)->name(), {finding}, false);
    return fail(servable.status(), 1);
  }
  std::vector<Finding> findings{check_warm_up(**servable)};
  for (const model::Signature& signature : (*servable)->signatures()) {
    if (signature.inputs.empty() || signature.name.starts_with("__")) continue;
    findings.push_back(check_signature(**servable, signature, options));
  }
  if (findings.size() == 1) findings[0].faults.emplace_back("the model has no signature that can be asked");
  const bool valid =
      std::all_of(findings.begin(), findings.end(), [](const auto& finding) { return finding.faults.empty(); });
  std::cout << (options.json ? as_json((*backend)->name(), findings, valid)
                             : as_text(options, (*backend)->name(), findings));
  return valid ? 0 : 1;
}

}  // namespace tidegate::serving
