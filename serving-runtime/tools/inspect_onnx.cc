#include "serving-runtime/tools/inspect_onnx.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

using Json = nlohmann::ordered_json;

// "(batch, 3)": a size that has a name is any size, the same wherever the name stands.
std::string shape_words(const model::OnnxValue& value) {
  if (value.spec.unknown_rank) return "unknown rank";
  std::string out = "(";
  for (size_t i = 0; i < value.spec.shape.size(); ++i) {
    if (i) out += ", ";
    base::append(out, value.dim_names[i].empty() ? std::to_string(value.spec.shape[i]) : value.dim_names[i]);
  }
  return out + ")";
}

// What no tensor of ours can carry is told in ONNX's own words.
bool servable(const model::OnnxValue& value) { return value.spec.type != model::DataType::kInvalid; }

void describe(std::string& out, std::string_view kind, const std::vector<model::OnnxValue>& values) {
  for (const auto& value : values) {
    base::append(out, base::cat("    ", kind, " ", value.spec.name, ": "));
    if (servable(value)) {
      base::append(out, base::cat(model::tensorflow_name(value.spec.type), " ", shape_words(value), "\n"));
    } else {
      base::append(out, base::cat(value.type, ", which cannot be served\n"));
    }
  }
}

std::string writer(const model::OnnxModel& model) {
  if (model.producer.empty()) return "";
  return base::cat(", written by ", model.producer, model.producer_version.empty() ? "" : " ", model.producer_version);
}

Json as_json(const std::vector<model::OnnxValue>& values) {
  Json list = Json::array();
  for (const auto& value : values) {
    Json item = {{"name", value.spec.name}, {"type", value.type}};
    item["dtype"] = servable(value) ? Json(model::tensorflow_name(value.spec.type)) : Json(nullptr);
    item["shape"] = value.spec.unknown_rank || !servable(value) ? Json(nullptr) : Json(value.spec.shape);
    if (servable(value) && !value.spec.unknown_rank) item["dimensions"] = value.dim_names;
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace

std::string onnx_as_text(const model::OnnxFile& file) {
  const model::OnnxModel& model = file.model;
  std::string out = base::cat(file.path, ": ONNX, IR version ", model.ir_version, writer(model), "\n");
  if (!model.domain.empty()) base::append(out, base::cat("domain ", model.domain, "\n"));
  if (model.model_version != 0) base::append(out, base::cat("model version ", model.model_version, "\n"));
  for (const auto& [domain, version] : model.opsets) {
    base::append(out, base::cat("operators ", domain, " ", version, "\n"));
  }
  for (const auto& [key, value] : model.metadata) base::append(out, base::cat("metadata ", key, ": ", value, "\n"));
  for (const auto& name : model.external_data) base::append(out, base::cat("weights in ", name, "\n"));
  base::append(
      out, base::cat("graph ", model.graph, "\n  signature ", model::kOnnxSignature, " (", model::kOnnxMethod, ")\n"));
  describe(out, "input ", model.inputs);
  describe(out, "output", model.outputs);
  return out;
}

std::string onnx_as_json(const model::OnnxFile& file) {
  const model::OnnxModel& model = file.model;
  Json report = {{"format", "ONNX"},
                 {"file", file.path},
                 {"irVersion", model.ir_version},
                 {"producer", {{"name", model.producer}, {"version", model.producer_version}}},
                 {"domain", model.domain},
                 {"modelVersion", model.model_version},
                 {"graph", model.graph},
                 {"operators", model.opsets},
                 {"metadata", model.metadata},
                 {"externalData", model.external_data}};
  report["signatures"][model::kOnnxSignature] = {
      {"method", model::kOnnxMethod}, {"inputs", as_json(model.inputs)}, {"outputs", as_json(model.outputs)}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tidegate::serving
