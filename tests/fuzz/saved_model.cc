// saved_model.pb, as `inspect`, the loader and the tensorflow backend read it.
#include <algorithm>

#include "fuzz/fuzzing.h"
#include "model/saved_model_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate;
  auto graphs = model::parse_saved_model(fuzz::as_text(data, size));
  if (!graphs) return 0;
  size_t told = 0;
  auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  for (const model::MetaGraph& graph : *graphs) {
    fuzz::require(std::is_sorted(graph.signatures.begin(), graph.signatures.end(), by_name), "signatures are sorted");
    for (const model::Signature& signature : graph.signatures) {
      for (const auto* specs : {&signature.inputs, &signature.outputs}) {
        fuzz::require(std::is_sorted(specs->begin(), specs->end(), by_name), "inputs and outputs are sorted");
        for (const model::TensorSpec& spec : *specs) told += 1 + spec.shape.size();
      }
    }
  }
  fuzz::require(told <= size, "nothing is told that the bytes do not say");
  return 0;
}
