#include "serving-runtime/api/tfs/example_signature.h"

#include <algorithm>

#include "base/status.h"

namespace tidegate::serving::tfs {
namespace {

using model::DataType;

constexpr std::string_view kClasses = "classes";
constexpr std::string_view kScores = "scores";
constexpr std::string_view kRegressions = "outputs";

bool contains(const std::vector<model::TensorSpec>& specs, std::string_view name) {
  return std::any_of(specs.begin(), specs.end(), [&](const auto& spec) { return spec.name == name; });
}

std::string text_of(const model::Signature& signature) {
  return base::cat(signature.name, " with inputs {", model::joined_names(signature.inputs), "} and outputs {",
                   model::joined_names(signature.outputs), "}");
}

absl::Status wrong_tensors(const model::Signature& signature, ExampleMethod method) {
  bool classify = method == ExampleMethod::kClassify;
  size_t outputs = signature.outputs.size();
  if (signature.inputs.size() != 1) return absl::InvalidArgumentError("Expected one input Tensor.");
  if (classify && outputs != 1 && outputs != 2) {
    return absl::InvalidArgumentError(base::cat("Expected one or two output Tensors, found ", outputs));
  }
  if (!classify && outputs != 1) return absl::InvalidArgumentError("Expected one output Tensor.");
  std::string_view kind = classify ? "classification" : "regression";
  if (!contains(signature.inputs, kExamplesInput)) {
    return absl::InvalidArgumentError(base::cat("No ", kind, " inputs found in SignatureDef: ", text_of(signature)));
  }
  if (classify && !contains(signature.outputs, kClasses) && !contains(signature.outputs, kScores)) {
    return absl::InvalidArgumentError(
        base::cat("Expected classification signature outputs to contain at least one of \"", kClasses, "\" or \"",
                  kScores, "\". Signature was: ", text_of(signature)));
  }
  if (!classify && !contains(signature.outputs, kRegressions)) {
    return absl::InvalidArgumentError(base::cat("No regression outputs found in SignatureDef: ", text_of(signature)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NamedTensor>> run(Inference& inference, const model::Signature& signature, Tensor examples,
                                             const std::vector<std::string>& wanted) {
  std::vector<NamedTensor> inputs;
  inputs.push_back({std::string(kExamplesInput), std::move(examples)});
  return inference.predict(signature, std::move(inputs), wanted);
}

// One of classify's two outputs.
absl::Status check_classes(const NamedTensor& output, DataType type, int64_t examples) {
  const Shape& shape = output.tensor.shape();
  if (shape.size() != 2) {
    return absl::InvalidArgumentError(
        base::cat("Expected Tensor shape: [batch_size num_classes] but got ", shape_text(shape)));
  }
  if (output.tensor.type() != type) {
    return absl::InvalidArgumentError(base::cat("Expected ", output.name, " Tensor of ", model::proto_name(type),
                                                ". Got: ", model::proto_name(output.tensor.type())));
  }
  if (shape[0] != examples) {
    return absl::InvalidArgumentError(
        base::cat("Expected ", output.name, " output batch size of ", examples, ". Got: ", shape[0]));
  }
  return absl::OkStatus();
}

absl::Status check_regressions(const Tensor& values, int64_t examples) {
  const Shape& shape = values.shape();
  if (shape.size() != 1 && !(shape.size() == 2 && shape[1] == 1)) {
    return absl::InvalidArgumentError(base::cat(
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got ", shape_text(shape)));
  }
  if (shape[0] != examples) {
    return absl::InvalidArgumentError(
        base::cat("Input batch size did not match output batch size: ", examples, " vs. ", shape[0]));
  }
  if (values.type() != DataType::kFloat) {
    return absl::InvalidArgumentError(
        base::cat("Expected output Tensor of DT_FLOAT.  Got: ", model::proto_name(values.type())));
  }
  return absl::OkStatus();
}

absl::Status fill(Classification& result, std::vector<NamedTensor> outputs) {
  for (NamedTensor& output : outputs) {
    bool labels = output.name == kClasses;
    TG_RETURN_IF_ERROR(check_classes(output, labels ? DataType::kString : DataType::kFloat, result.examples));
    result.classes = output.tensor.shape()[1];
    (labels ? result.labels : result.scores) = std::move(output.tensor);
  }
  if (!result.labels || !result.scores || result.labels->shape() == result.scores->shape()) return absl::OkStatus();
  return absl::InvalidArgumentError(base::cat("Tensors class and score should match in dim_size(1). Got ",
                                              result.labels->shape()[1], " vs. ", result.scores->shape()[1]));
}

}  // namespace

std::string_view name_of(ExampleMethod method) {
  return method == ExampleMethod::kClassify ? "tensorflow/serving/classify" : "tensorflow/serving/regress";
}

std::optional<ExampleMethod> to_example_method(std::string_view name) {
  if (name == name_of(ExampleMethod::kClassify)) return ExampleMethod::kClassify;
  if (name == name_of(ExampleMethod::kRegress)) return ExampleMethod::kRegress;
  return std::nullopt;
}

absl::Status check_signature(const model::Signature& signature, ExampleMethod method, const Rules& rules) {
  const bool claims_it = signature.method_name == name_of(method);
  if (rules.check_method_names && !claims_it) {
    return absl::InvalidArgumentError(
        base::cat("Expected ", method == ExampleMethod::kClassify ? "classification" : "regression",
                  " signature method_name to be ", name_of(method), ". Was: ", signature.method_name));
  }
  absl::Status wrong = wrong_tensors(signature, method);
  // No request can do better with a signature that its exporter got wrong.
  return wrong.ok() || !claims_it ? wrong : as_model_error(wrong);
}

absl::StatusOr<const model::Signature*> find_signature(const Servable& servable, std::string_view name,
                                                       ExampleMethod method, const Rules& rules) {
  const model::Signature* signature = servable.find_signature(name);
  if (!signature) {
    return absl::InvalidArgumentError(
        base::cat("No signature was found with the name: ", name.empty() ? kDefaultSignature : name));
  }
  TG_RETURN_IF_ERROR(check_signature(*signature, method, rules));
  return signature;
}

std::string_view Classification::label(size_t index) const {
  if (!labels) return {};
  const TidegateString& text = labels->strings()[index];
  return {text.data, text.size};
}

float Classification::score(size_t index) const { return scores ? scores->values<float>()[index] : 0; }

absl::StatusOr<Classification> run_classify(Inference& inference, const model::Signature& signature, Tensor examples) {
  Classification result;
  result.examples = examples.elements();
  std::vector<std::string> wanted;
  for (std::string_view name : {kClasses, kScores}) {
    if (contains(signature.outputs, name)) wanted.emplace_back(name);
  }
  TG_ASSIGN_OR_RETURN(auto outputs, run(inference, signature, std::move(examples), wanted));
  if (absl::Status filled = fill(result, std::move(outputs)); !filled.ok()) return as_model_error(filled);
  return result;
}

absl::StatusOr<Tensor> run_regress(Inference& inference, const model::Signature& signature, Tensor examples) {
  int64_t count = examples.elements();
  TG_ASSIGN_OR_RETURN(auto outputs, run(inference, signature, std::move(examples), {std::string(kRegressions)}));
  absl::Status checked = check_regressions(outputs.front().tensor, count);
  if (!checked.ok()) return as_model_error(checked);
  return std::move(outputs.front().tensor);
}

}  // namespace tidegate::serving::tfs
