#include "serving-runtime/api/tfs/metadata_json.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace tidegate::serving::tfs {
namespace {

using Json = nlohmann::ordered_json;

// 64-bit integers are strings in protobuf's JSON.
Json tensor_info(const model::TensorSpec& spec) {
  Json dims = Json::array();
  for (int64_t size : spec.shape) dims.push_back({{"size", std::to_string(size)}, {"name", ""}});
  return {{"dtype", model::proto_name(spec.type)},
          {"tensor_shape", {{"dim", dims}, {"unknown_rank", spec.unknown_rank}}},
          {"name", spec.tensor_name}};
}

Json tensor_map(const std::vector<model::TensorSpec>& specs) {
  Json map = Json::object();
  for (const auto& spec : specs) map[spec.name] = tensor_info(spec);
  return map;
}

std::string print(const Json& json) { return json.dump(1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string metadata_json(const Servable& servable) {
  Json signatures = Json::object();
  for (const model::Signature& signature : servable.signatures()) {
    signatures[signature.name] = {{"inputs", tensor_map(signature.inputs)},
                                  {"outputs", tensor_map(signature.outputs)},
                                  {"method_name", signature.method_name},
                                  {"defaults", Json::object()}};
  }
  return print(
      {{"model_spec", {{"name", servable.name()}, {"signature_name", ""}, {"version", servable.version_text()}}},
       {"metadata", {{"signature_def", {{"signature_def", signatures}}}}}});
}

std::string status_json(const std::map<int64_t, VersionEntry, std::greater<>>& versions) {
  Json list = Json::array();
  for (const auto& [version, entry] : versions) {
    list.push_back({{"version", std::to_string(version)},
                    {"state", name_of(entry.state)},
                    {"status",
                     {{"error_code", base::view(absl::StatusCodeToString(entry.error.code()).c_str())},
                      {"error_message", base::view(entry.error.message())}}}});
  }
  return print({{"model_version_status", list}});
}

}  // namespace tidegate::serving::tfs
