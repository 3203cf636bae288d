#include "serving-runtime/api/oip/infer.h"

#include <algorithm>

#include "base/status.h"
#include "serving-runtime/api/oip/classification.h"
#include "serving-runtime/api/oip/model_view.h"

namespace tidegate::serving::oip {
namespace {

// Those that the model does not have are refused with the missing ones, when it is to run.
absl::Status check_inputs(const model::Signature& signature, const std::vector<NamedTensor>& inputs) {
  std::vector<bool> there(signature.inputs.size());
  for (const NamedTensor& input : inputs) {
    const auto spec = std::find_if(signature.inputs.begin(), signature.inputs.end(),
                                   [&](const auto& candidate) { return candidate.name == input.name; });
    if (spec == signature.inputs.end()) continue;
    const auto index = static_cast<size_t>(spec - signature.inputs.begin());
    if (there[index]) return absl::InvalidArgumentError(base::cat("input '", input.name, "' is there twice"));
    there[index] = true;
    if (spec->type == input.tensor.type()) continue;
    return absl::InvalidArgumentError(base::cat("input '", input.name, "' has datatype ",
                                                model::oip_name(input.tensor.type()), "; the model takes ",
                                                model::oip_name(spec->type)));
  }
  return absl::OkStatus();
}

// Before the model runs for nothing.
absl::Status check_outputs(const model::Signature& signature, const std::vector<WantedOutput>& wanted) {
  for (const model::TensorSpec& spec : signature.outputs) {
    const auto found = std::find_if(wanted.begin(), wanted.end(),
                                    [&](const WantedOutput& output) { return output.name == spec.name; });
    if (found == wanted.end() && !wanted.empty()) continue;
    if (found != wanted.end() && found->classes > 0 && !has_classes(spec.type)) {
      return absl::InvalidArgumentError(base::cat("output '", spec.name, "' is of type ",
                                                  model::tensorflow_name(spec.type), ", which cannot be classified"));
    }
    if (!model::oip_name(spec.type).empty()) continue;
    return absl::InvalidArgumentError(base::cat("output '", spec.name, "' is of type ",
                                                model::tensorflow_name(spec.type),
                                                ", which the protocol does not have; ask for others by name"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> infer(Inference& inference, const RequestParameters& parameters,
                                               std::vector<NamedTensor> inputs, std::vector<WantedOutput> wanted) {
  if (inference.queued() > parameters.timeout) {
    return absl::DeadlineExceededError(base::cat("the request waited ", absl::ToInt64Microseconds(inference.queued()),
                                                 " us for its turn, longer than its parameter timeout of ",
                                                 absl::ToInt64Microseconds(parameters.timeout), " us allows"));
  }
  TG_ASSIGN_OR_RETURN(const model::Signature* signature,
                      choose_signature(*inference.servable(), parameters.signature_name));
  TG_RETURN_IF_ERROR(check_inputs(*signature, inputs));
  TG_RETURN_IF_ERROR(check_outputs(*signature, wanted));
  std::vector<std::string> names;
  names.reserve(wanted.size());
  for (WantedOutput& output : wanted) names.push_back(std::move(output.name));
  TG_ASSIGN_OR_RETURN(auto outputs, inference.predict(*signature, std::move(inputs), names));
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].classes == 0) continue;
    TG_ASSIGN_OR_RETURN(outputs[i].tensor, classify(outputs[i].tensor, wanted[i].classes));
  }
  return outputs;
}

}  // namespace tidegate::serving::oip
