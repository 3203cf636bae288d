#include "serving-runtime/tools/inspect_tflite.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

using Json = nlohmann::ordered_json;

// Types that no protocol can carry are told in the file's own words.
std::string type_word(const model::TfliteTensor& tensor) {
  model::DataType type = model::tflite_data_type(tensor.type);
  if (type != model::DataType::kInvalid) return std::string(model::tensorflow_name(type));
  return base::cat(model::tflite_type_name(tensor.type), ", which cannot be served,");
}

std::string shape_words(const model::TfliteTensor& tensor) {
  std::string out = "(";
  for (size_t i = 0; i < tensor.signature.size(); ++i) base::append(out, base::cat(i ? ", " : "", tensor.signature[i]));
  return out + ")";
}

std::string quantization_words(const model::TfliteQuantization& quantization) {
  size_t count = quantization.scales.size();
  if (count == 0) return "";
  if (count > 1) return base::cat(", quantised with ", count, " scales along dimension ", quantization.dimension);
  return base::cat(", quantised: scale ", quantization.scales[0], ", zero point ", quantization.zero_points[0]);
}

void describe(std::string& out, std::string_view kind, const model::TfliteSubgraph& subgraph,
              const std::vector<model::TfliteEnd>& ends) {
  for (const auto& end : ends) {
    const model::TfliteTensor& tensor = subgraph.tensors[end.tensor];
    base::append(out, base::cat("    ", kind, " ", end.name, ": ", type_word(tensor), " ", shape_words(tensor),
                                quantization_words(tensor.quantization), "  <- ", tensor.name, "\n"));
  }
}

std::string operators_words(const model::TfliteModel& model) {
  std::string out;
  for (const auto& one : model.operators) {
    base::append(out, base::cat("operator ", one.name, one.custom ? " (custom)" : "", " version ", one.version, ": ",
                                one.count, "\n"));
  }
  return out;
}

std::string metadata_words(const model::TfliteModel& model) {
  std::string out;
  for (const auto& one : model.metadata) {
    std::string value = one.text.empty() ? base::cat(one.bytes, " bytes") : one.text;
    base::append(out, base::cat("metadata ", one.name, ": ", value, "\n"));
  }
  return out;
}

Json quantization_json(const model::TfliteQuantization& quantization) {
  if (quantization.scales.empty()) return nullptr;
  Json json = {{"scales", quantization.scales}, {"zeroPoints", quantization.zero_points}};
  if (quantization.scales.size() > 1) json["dimension"] = quantization.dimension;
  return json;
}

Json as_json(const model::TfliteSubgraph& subgraph, const std::vector<model::TfliteEnd>& ends) {
  Json list = Json::array();
  for (const auto& end : ends) {
    const model::TfliteTensor& tensor = subgraph.tensors[end.tensor];
    model::DataType type = model::tflite_data_type(tensor.type);
    list.push_back({{"name", end.name},
                    {"dtype", type == model::DataType::kInvalid ? Json(nullptr) : Json(model::tensorflow_name(type))},
                    {"shape", tensor.signature},
                    {"tensor", tensor.name},
                    {"type", model::tflite_type_name(tensor.type)},
                    {"quantization", quantization_json(tensor.quantization)}});
  }
  return list;
}

Json operators_json(const model::TfliteModel& model) {
  Json list = Json::array();
  for (const auto& one : model.operators) {
    list.push_back({{"name", one.name}, {"custom", one.custom}, {"version", one.version}, {"count", one.count}});
  }
  return list;
}

Json metadata_json(const model::TfliteModel& model) {
  Json list = Json::array();
  for (const auto& one : model.metadata) {
    list.push_back(
        {{"name", one.name}, {"bytes", one.bytes}, {"text", one.text.empty() ? Json(nullptr) : Json(one.text)}});
  }
  return list;
}

}  // namespace

std::string tflite_as_text(const model::TfliteFile& file) {
  const model::TfliteModel& model = file.model;
  std::string out =
      base::cat(file.path, ": TFLite, ", file.bytes, " bytes, of which constants ", model.constant_bytes, "\n");
  if (!model.description.empty()) base::append(out, base::cat("description ", model.description, "\n"));
  if (model.keeps_state) base::append(out, "keeps variables from run to run\n");
  base::append(out, metadata_words(model));
  base::append(out, operators_words(model));
  for (const auto& signature : model.signatures) {
    const model::TfliteSubgraph& subgraph = model.subgraphs[signature.subgraph];
    base::append(out, base::cat("  signature ", signature.name,
                                model.signatures_are_made_up ? " (the file has none: its main subgraph)" : "", "\n"));
    describe(out, "input ", subgraph, signature.inputs);
    describe(out, "output", subgraph, signature.outputs);
  }
  return out;
}

std::string tflite_as_json(const model::TfliteFile& file) {
  const model::TfliteModel& model = file.model;
  Json report = {{"format", "TFLite"},
                 {"file", file.path},
                 {"bytes", file.bytes},
                 {"constantBytes", model.constant_bytes},
                 {"description", model.description},
                 {"keepsState", model.keeps_state},
                 {"signaturesAreMadeUp", model.signatures_are_made_up},
                 {"subgraphs", model.subgraphs.size()},
                 {"metadata", metadata_json(model)},
                 {"operators", operators_json(model)}};
  for (const auto& signature : model.signatures) {
    const model::TfliteSubgraph& subgraph = model.subgraphs[signature.subgraph];
    report["signatures"][signature.name] = {{"inputs", as_json(subgraph, signature.inputs)},
                                            {"outputs", as_json(subgraph, signature.outputs)}};
  }
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tidegate::serving
