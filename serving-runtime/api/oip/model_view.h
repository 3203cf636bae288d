#pragma once
// How the Open Inference Protocol, which knows no signatures, sees a servable: its default signature, or the one that
// the request's parameter `signature_name` names.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "serving-runtime/core/servable_table.h"

namespace tidegate::serving::oip {

inline constexpr std::string_view kServerName = "tidegate-runtime";
inline constexpr std::string_view kServerVersion = "0.1.0";

// `version` empty: the newest. INVALID_ARGUMENT when it is no number.
absl::StatusOr<ModelSpec> to_model_spec(std::string_view name, std::string_view version);
// `name` empty: serving_default, else the first that has inputs and outputs. NOT_FOUND naming those that there are.
absl::StatusOr<const model::Signature*> choose_signature(const Servable& servable, std::string_view name);
// "tensorflow_savedmodel", "tensorflow_lite", "onnx_onnxv1": the platform words that clients of the protocol know.
std::string platform(const Servable& servable);
// The versions of that model that serve, oldest first.
std::vector<std::string> serving_versions(const ServableTable& table, const std::string& name);

}  // namespace tidegate::serving::oip
