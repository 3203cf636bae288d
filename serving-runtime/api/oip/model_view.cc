#include "serving-runtime/api/oip/model_view.h"

#include <charconv>

#include "base/status.h"

namespace tidegate::serving::oip {

absl::StatusOr<ModelSpec> to_model_spec(std::string_view name, std::string_view version) {
  ModelSpec spec;
  spec.name = name;
  if (version.empty()) return spec;
  int64_t number = 0;
  auto parsed = std::from_chars(version.data(), version.data() + version.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != version.data() + version.size()) {
    return absl::InvalidArgumentError(base::cat("model version '", version, "' is not a number"));
  }
  spec.version = number;
  return spec;
}

absl::StatusOr<const model::Signature*> choose_signature(const Servable& servable, std::string_view name) {
  if (const model::Signature* signature = servable.find_signature(name)) return signature;
  std::string known;
  for (const model::Signature& signature : servable.signatures()) {
    if (signature.inputs.empty() || signature.outputs.empty()) continue;
    if (name.empty()) return &signature;
    base::append(known, known.empty() ? "" : ", "), base::append(known, signature.name);
  }
  return absl::NotFoundError(base::cat("model '", servable.name(), "' has no signature '",
                                       name.empty() ? kDefaultSignature : name, "'; it has: ", known));
}

std::string platform(const Servable& servable) {
  if (servable.platform() == "tensorflow") return "tensorflow_savedmodel";
  if (servable.platform() == "litert") return "tensorflow_lite";
  if (servable.platform() == "onnx") return "onnx_onnxv1";
  return servable.platform();
}

std::vector<std::string> serving_versions(const ServableTable& table, const std::string& name) {
  std::vector<std::string> versions;
  auto model = table.models.find(name);
  if (model == table.models.end()) return versions;
  for (const auto& [version, entry] : model->second.versions) {
    if (entry.servable) versions.insert(versions.begin(), std::to_string(version));
  }
  return versions;
}

}  // namespace tidegate::serving::oip
