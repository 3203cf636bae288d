#include "serving-runtime/backends/litert/signature_plan.h"

#include <algorithm>
#include <map>

#include "serving-runtime/backends/litert/litert_api.h"

namespace tidegate::serving::litert {
namespace {

Failure make_port(const model::TfliteSubgraph& subgraph, const model::TfliteEnd& end, bool raw_io,
                  const std::string& words, Port& port) {
  const model::TfliteTensor& tensor = subgraph.tensors[end.tensor];
  port.name = end.name;
  port.tensor_name = tensor.name;
  port.type = model::tflite_data_type(tensor.type);
  port.element_type = element_type_of(tensor.type);
  if (!port.element_type || model::size_of(port.type) == 0) {
    return {kUnimplemented, words + " '" + end.name + "' (tensor " + tensor.name + ") is of type " +
                                model::tflite_type_name(tensor.type) + ", which LiteRT cannot take or return"};
  }
  if (tensor.shape.size() > kLiteRtMaxRank) {
    return {kUnimplemented, words + " '" + end.name + "' has " + std::to_string(tensor.shape.size()) +
                                " dimensions; LiteRT takes up to " + std::to_string(kLiteRtMaxRank)};
  }
  port.stored.assign(tensor.shape.begin(), tensor.shape.end());
  port.shape = tensor.signature;
  if (!raw_io) port.quantization = quantization_of(tensor);
  return {};
}

Failure make_ports(const model::TfliteSubgraph& subgraph, const std::vector<model::TfliteEnd>& ends, bool raw_io,
                   const std::string& words, std::vector<Port>& ports) {
  for (const model::TfliteEnd& end : ends) {
    if (Failure failure = make_port(subgraph, end, raw_io, words, ports.emplace_back()); !failure.ok()) return failure;
  }
  return {};
}

// The number of the first of `ends` that is this tensor; -1: none.
int index_of(const std::vector<model::TfliteEnd>& ends, uint32_t tensor) {
  auto found = std::find_if(ends.begin(), ends.end(), [&](const auto& end) { return end.tensor == tensor; });
  return found == ends.end() ? -1 : static_cast<int>(found - ends.begin());
}

}  // namespace

Failure plan_signature(const model::TfliteModel& model, const model::TfliteSignature& signature, bool raw_io,
                       SignaturePlan& plan) {
  const model::TfliteSubgraph& subgraph = model.subgraphs[signature.subgraph];
  std::string words = "signature " + signature.name + ": ";
  plan.name = signature.name;
  Failure failure = make_ports(subgraph, signature.inputs, raw_io, words + "input", plan.inputs);
  if (failure.ok()) failure = make_ports(subgraph, signature.outputs, raw_io, words + "output", plan.outputs);
  if (!failure.ok()) return failure;
  for (uint32_t tensor : subgraph.inputs) {
    plan.input_of_position.push_back(static_cast<size_t>(index_of(signature.inputs, tensor)));
  }
  std::map<uint32_t, size_t> block_of_tensor;
  for (uint32_t tensor : subgraph.outputs) {
    auto [block, fresh] = block_of_tensor.emplace(tensor, plan.blocks.size());
    if (fresh) {
      plan.blocks.push_back(plan.outputs[static_cast<size_t>(index_of(signature.outputs, tensor))]);
      plan.input_of_block.push_back(index_of(signature.inputs, tensor));
    }
    plan.block_of_position.push_back(block->second);
  }
  for (const model::TfliteEnd& end : signature.outputs) plan.block_of_output.push_back(block_of_tensor.at(end.tensor));
  return {};
}

}  // namespace tidegate::serving::litert
