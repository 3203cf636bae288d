#include "fuzz/echo_model.h"

#include <memory>
#include <utility>

namespace tidegate::fuzz {
namespace {

using model::DataType;
using serving::Tensor;

constexpr DataType kTypes[] = {DataType::kFloat,    DataType::kDouble, DataType::kInt32,  DataType::kUint8,
                               DataType::kInt16,    DataType::kInt8,   DataType::kString, DataType::kComplex64,
                               DataType::kInt64,    DataType::kBool,   DataType::kUint16, DataType::kComplex128,
                               DataType::kBfloat16, DataType::kHalf,   DataType::kUint32, DataType::kUint64};

model::TensorSpec spec(std::string name, DataType type) {
  std::string tensor = name + ":0";
  return {std::move(name), std::move(tensor), type, true, {}};
}

model::Signature echoing(std::string name, std::vector<model::TensorSpec> ends) {
  return {std::move(name), "tensorflow/serving/predict", ends, ends};
}

std::vector<model::Signature> make_signatures() {
  std::vector<model::Signature> signatures;
  signatures.push_back({"classify",
                        "tensorflow/serving/classify",
                        {spec("inputs", DataType::kString)},
                        {spec("classes", DataType::kString), spec("scores", DataType::kFloat)}});
  signatures.push_back({"regress",
                        "tensorflow/serving/regress",
                        {spec("inputs", DataType::kString)},
                        {spec("outputs", DataType::kFloat)}});
  signatures.push_back(echoing(
      "serving_default", {spec("a", DataType::kFloat), spec("b", DataType::kInt64), spec("c", DataType::kString)}));
  signatures.push_back(echoing("text_first", {spec("a", DataType::kString), spec("b", DataType::kFloat)}));
  signatures.push_back(echoing("bytes", {spec("x_bytes", DataType::kString)}));
  for (DataType type : kTypes) {
    signatures.push_back(echoing(std::string(model::tensorflow_name(type)), {spec("x", type)}));
  }
  return signatures;
}

Tensor strings(serving::Shape shape, std::string_view text) {
  serving::StringList list;
  int64_t count = serving::element_count(shape).value_or(0);
  for (int64_t i = 0; i < count; ++i) list.push(text);
  return Tensor(std::move(shape), std::move(list));
}

Tensor halves(serving::Shape shape) {
  serving::AlignedBuffer data;
  int64_t count = serving::element_count(shape).value_or(0);
  for (int64_t i = 0; i < count; ++i) data.push(0.5F);
  return Tensor(DataType::kFloat, std::move(shape), std::move(data));
}

class EchoModel : public serving::LoadedModel {
 public:
  const std::vector<model::Signature>& signatures() const override { return signatures_; }
  absl::StatusOr<std::vector<Tensor>> run(size_t signature, std::span<Tensor> inputs,
                                          std::span<const uint64_t> outputs) const override {
    std::vector<Tensor> results;
    for (uint64_t output : outputs) results.push_back(answer(signatures_[signature], inputs, output));
    return results;
  }

 private:
  static Tensor answer(const model::Signature& signature, std::span<Tensor> inputs, uint64_t output) {
    if (signature.outputs[output].name == "classes") return strings({inputs[0].elements(), 2}, "class");
    if (signature.outputs[output].name == "scores") return halves({inputs[0].elements(), 2});
    if (signature.outputs[output].name == "outputs") return halves({inputs[0].elements()});
    return std::move(inputs[output]);
  }

  const std::vector<model::Signature> signatures_ = make_signatures();
};

serving::ServableTable make_table() {
  serving::ModelEntry entry;
  serving::VersionEntry& version = entry.versions[7];
  version.state = serving::VersionState::kAvailable;
  version.servable =
      std::make_shared<serving::Servable>("echo", 7, "/models/echo/7", "tensorflow", std::make_unique<EchoModel>());
  entry.labels["stable"] = 7;
  serving::ServableTable table;
  table.models["echo"] = std::move(entry);
  return table;
}

}  // namespace

const serving::ServableTable& echo_table() {
  static const serving::ServableTable table = make_table();
  return table;
}

const serving::Servable& echo() { return *echo_table().models.find("echo")->second.versions.at(7).servable; }

void serve_echo(serving::ServableDirectory& directory) {
  directory.update([](serving::ServableTable& table) { table = echo_table(); });
}

}  // namespace tidegate::fuzz
