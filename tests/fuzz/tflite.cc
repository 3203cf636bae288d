// A TFLite file, as `inspect` reads it and as it is checked before LiteRT sees it.
#include <algorithm>

#include "fuzz/fuzzing.h"
#include "model/tflite_reader.h"
#include "serving-runtime/tools/inspect_tflite.h"

namespace tidegate::fuzz {
namespace {

void check(const model::TfliteSubgraph& subgraph) {
  for (const auto* ends : {&subgraph.inputs, &subgraph.outputs}) {
    for (uint32_t number : *ends) require(number < subgraph.tensors.size(), "an end is a tensor of its subgraph");
  }
  for (const model::TfliteTensor& tensor : subgraph.tensors) {
    require(tensor.shape.size() == tensor.signature.size(), "a tensor has one rank");
    require(tensor.quantization.scales.size() == tensor.quantization.zero_points.size(),
            "each scale has its zero point");
    require(std::all_of(tensor.shape.begin(), tensor.shape.end(), [](int64_t n) { return n >= 0; }),
            "a stored size is a number");
  }
}

void check(const model::TfliteModel& model, const model::TfliteSignature& signature) {
  require(signature.subgraph < model.subgraphs.size(), "a signature is of a subgraph");
  const model::TfliteSubgraph& subgraph = model.subgraphs[signature.subgraph];
  for (const auto* ends : {&signature.inputs, &signature.outputs}) {
    for (size_t i = 0; i < ends->size(); ++i) {
      require((*ends)[i].tensor < subgraph.tensors.size(), "a signature's end is a tensor");
      require(i == 0 || (*ends)[i - 1].name < (*ends)[i].name, "a signature's ends are sorted, each name once");
    }
  }
}

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate;
  model::FileFault fault;
  auto parsed = model::parse_tflite(fuzz::as_text(data, size), fault);
  if (!parsed) {
    fuzz::require(fault.offset <= size && !fault.what.empty(), "a fault is told with its place in the file",
                  model::explain_tflite("file", size, fault));
    return 0;
  }
  fuzz::require(!parsed->subgraphs.empty() && !parsed->signatures.empty(), "a whole model can be run");
  for (const model::TfliteSubgraph& subgraph : parsed->subgraphs) fuzz::check(subgraph);
  for (const model::TfliteSignature& signature : parsed->signatures) fuzz::check(*parsed, signature);
  model::TfliteFile file{"file", size, *std::move(parsed)};
  fuzz::require(!serving::tflite_as_text(file).empty() && !serving::tflite_as_json(file).empty(),
                "a file can be told of");
  return 0;
}
