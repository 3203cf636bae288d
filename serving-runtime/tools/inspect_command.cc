#include "serving-runtime/tools/inspect_command.h"

#include <absl/strings/str_join.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "model/model_format.h"
#include "serving-runtime/tools/inspect_onnx.h"
#include "serving-runtime/tools/inspect_tflite.h"

namespace tidegate::serving {
namespace {

using Json = nlohmann::ordered_json;

std::string shape_words(const model::TensorSpec& spec) {
  if (spec.unknown_rank) return "unknown rank";
  std::string out = "(";
  for (size_t i = 0; i < spec.shape.size(); ++i) base::append(out, i ? ", " : ""), base::append(out, spec.shape[i]);
  return out + ")";
}

void describe(std::string& out, std::string_view kind, const std::vector<model::TensorSpec>& specs) {
  for (const auto& spec : specs) {
    base::append(out, base::cat("    ", kind, " ", spec.name, ": ", model::tensorflow_name(spec.type), " ",
                                shape_words(spec), "  <- ", spec.tensor_name, "\n"));
  }
}

std::string as_text(const std::string& folder, const std::vector<model::MetaGraph>& graphs) {
  std::string out = base::cat(folder, ": SavedModel\n");
  for (const auto& graph : graphs) {
    base::append(out, base::cat("graph {", absl::StrJoin(graph.tags, ", "), "}, written by TensorFlow ",
                                graph.tensorflow_version, "\n"));
    for (const auto& signature : graph.signatures) {
      base::append(out, base::cat("  signature ", signature.name, " (", signature.method_name, ")\n"));
      describe(out, "input ", signature.inputs);
      describe(out, "output", signature.outputs);
    }
  }
  return out;
}

Json as_json(const std::vector<model::TensorSpec>& specs) {
  Json list = Json::array();
  for (const auto& spec : specs) {
    Json item = {{"name", spec.name}, {"dtype", model::tensorflow_name(spec.type)}};
    item["shape"] = spec.unknown_rank ? Json(nullptr) : Json(spec.shape);
    item["tensor"] = spec.tensor_name;
    list.push_back(std::move(item));
  }
  return list;
}

std::string as_json(const std::vector<model::MetaGraph>& graphs) {
  Json list = Json::array();
  for (const auto& graph : graphs) {
    Json signatures = Json::object();
    for (const auto& signature : graph.signatures) {
      signatures[signature.name] = {{"method", signature.method_name},
                                    {"inputs", as_json(signature.inputs)},
                                    {"outputs", as_json(signature.outputs)}};
    }
    list.push_back({{"tags", graph.tags}, {"tensorflowVersion", graph.tensorflow_version}, {"signatures", signatures}});
  }
  return Json{{"format", "SavedModel"}, {"graphs", list}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

absl::StatusOr<std::string> inspect(const std::string& folder, bool json) {
  TG_ASSIGN_OR_RETURN(model::Format format, model::detect_format(folder));
  if (format == model::Format::kOnnx) {
    TG_ASSIGN_OR_RETURN(model::OnnxFile file, model::read_onnx(folder));
    return json ? onnx_as_json(file) : onnx_as_text(file);
  }
  if (format == model::Format::kTflite) {
    TG_ASSIGN_OR_RETURN(model::TfliteFile file, model::read_tflite(folder));
    return json ? tflite_as_json(file) : tflite_as_text(file);
  }
  TG_ASSIGN_OR_RETURN(auto graphs, model::read_saved_model(folder));
  return json ? as_json(graphs) : as_text(folder, graphs);
}

}  // namespace tidegate::serving
