#include "serving-runtime/core/servable.h"

#include <absl/strings/cord.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <set>

#include "base/status.h"
#include "serving-runtime/core/quote.h"

namespace tidegate::serving {
namespace {

constexpr const char* kModelErrorUrl = "tidegate.dev/model-error";

using Names = std::set<std::string>;

// Clients may send any number of them, of any length.
std::string join(const Names& names) { return quote(absl::StrJoin(names, ",")); }

Names without(const Names& names, const Names& removed) {
  Names out;
  std::set_difference(names.begin(), names.end(), removed.begin(), removed.end(), std::inserter(out, out.end()));
  return out;
}

Names names_of(const std::vector<model::TensorSpec>& specs) {
  Names names;
  for (const auto& spec : specs) names.insert(spec.name);
  return names;
}

absl::Status wrong_inputs(const model::Signature& signature, const std::vector<NamedTensor>& inputs) {
  Names sent, needed = names_of(signature.inputs);
  for (const NamedTensor& input : inputs) sent.insert(input.name);
  return absl::InvalidArgumentError(base::cat("input size does not match signature: ", sent.size(), "!=", needed.size(),
                                              " len({", join(sent), "}) != len({", join(needed), "}). Sent extra: {",
                                              join(without(sent, needed)), "}. Missing but required: {",
                                              join(without(needed, sent)), "}."));
}

// Puts the inputs into the signature's order.
absl::StatusOr<std::vector<Tensor>> arrange(const model::Signature& signature, std::vector<NamedTensor>& inputs) {
  if (inputs.size() != signature.inputs.size()) return wrong_inputs(signature, inputs);
  std::vector<Tensor> arranged;
  arranged.reserve(inputs.size());
  for (const model::TensorSpec& spec : signature.inputs) {
    auto found = std::find_if(inputs.begin(), inputs.end(), [&](const auto& input) { return input.name == spec.name; });
    if (found == inputs.end()) return wrong_inputs(signature, inputs);
    arranged.push_back(std::move(found->tensor));
  }
  return arranged;
}

absl::StatusOr<std::vector<uint64_t>> choose_outputs(const model::Signature& signature,
                                                     const std::vector<std::string>& wanted) {
  std::vector<uint64_t> chosen;
  for (size_t i = 0; wanted.empty() && i < signature.outputs.size(); ++i) chosen.push_back(i);
  for (const std::string& name : wanted) {
    auto found = std::find_if(signature.outputs.begin(), signature.outputs.end(),
                              [&](const auto& spec) { return spec.name == name; });
    if (found == signature.outputs.end()) {
      return absl::InvalidArgumentError(base::cat("output tensor alias not found in signature: ", name,
                                                  " Outputs expected to be in the set {",
                                                  join(names_of(signature.outputs)), "}."));
    }
    auto index = static_cast<uint64_t>(found - signature.outputs.begin());
    if (std::find(chosen.begin(), chosen.end(), index) != chosen.end()) {
      return absl::InvalidArgumentError(base::cat("duplicate output tensor alias: ", name));
    }
    chosen.push_back(index);
  }
  return chosen;
}

bool fits(const model::TensorSpec& spec, model::DataType type, const Shape& shape) {
  if (spec.type != type) return false;
  if (spec.unknown_rank) return true;
  return std::equal(spec.shape.begin(), spec.shape.end(), shape.begin(), shape.end(),
                    [](int64_t expected, int64_t got) { return expected < 0 || expected == got; });
}

}  // namespace

absl::Status as_model_error(absl::Status status) {
  status.SetPayload(kModelErrorUrl, absl::Cord("1"));
  return status;
}

bool is_model_error(const absl::Status& status) { return status.GetPayload(kModelErrorUrl).has_value(); }

Servable::Servable(std::string name, int64_t version, std::string folder, std::string platform,
                   std::unique_ptr<LoadedModel> model, std::optional<ModelCache> cache)
    : name_(std::move(name)),
      version_(version),
      version_text_(std::to_string(version)),
      folder_(std::move(folder)),
      platform_(std::move(platform)),
      model_(std::move(model)),
      cache_(std::move(cache)) {}

const model::Signature* Servable::find_signature(std::string_view name) const {
  if (name.empty()) name = kDefaultSignature;
  for (const model::Signature& signature : signatures()) {
    if (signature.name == name) return &signature;
  }
  return nullptr;
}

absl::StatusOr<std::vector<NamedTensor>> Servable::predict(const model::Signature& signature,
                                                           std::vector<NamedTensor> inputs,
                                                           const std::vector<std::string>& wanted,
                                                           CacheUse* use) const {
  TG_ASSIGN_OR_RETURN(std::vector<Tensor> arranged, arrange(signature, inputs));
  TG_ASSIGN_OR_RETURN(std::vector<uint64_t> chosen, choose_outputs(signature, wanted));
  // A request that contradicts the signature is the client's mistake even though only the graph notices it.
  bool fitting = true;
  for (size_t i = 0; i < arranged.size(); ++i) {
    fitting = fitting && fits(signature.inputs[i], arranged[i].type(), arranged[i].shape());
  }
  auto index = static_cast<size_t>(&signature - signatures().data());
  CacheUse unread;
  auto outputs = cache_ ? cache_->run(*model_, index, arranged, chosen, use != nullptr ? *use : unread)
                        : model_->run(index, arranged, chosen);
  if (!outputs.ok()) return fitting ? as_model_error(outputs.status()) : outputs.status();
  std::vector<NamedTensor> named;
  named.reserve(outputs->size());
  for (size_t i = 0; i < outputs->size(); ++i) {
    named.push_back({signature.outputs[chosen[i]].name, std::move((*outputs)[i])});
  }
  return named;
}

}  // namespace tidegate::serving
