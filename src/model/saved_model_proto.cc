#include "model/saved_model_proto.h"

#include <algorithm>

#include "model/proto_reader.h"

namespace tidegate::model {
namespace {

template <class Named>
void sort_by_name(std::vector<Named>& items) {
  std::sort(items.begin(), items.end(), [](const Named& a, const Named& b) { return a.name < b.name; });
}

// TensorShapeProto: dim = 2 {size = 1}, unknown_rank = 3.
bool parse_shape(std::string_view bytes, TensorSpec& spec) {
  ProtoReader shape(bytes);
  while (shape.next()) {
    if (shape.field() == 3) spec.unknown_rank = shape.number() != 0;
    if (shape.field() != 2) continue;
    int64_t size = 0;
    ProtoReader dim(shape.bytes());
    while (dim.next()) {
      if (dim.field() == 1) size = dim.signed_number();
    }
    if (!dim.ok()) return false;
    spec.shape.push_back(size);
  }
  return shape.ok();
}

// TensorInfo: name = 1, dtype = 2, tensor_shape = 3.
bool parse_tensor_info(std::string_view bytes, TensorSpec& spec) {
  ProtoReader info(bytes);
  while (info.next()) {
    if (info.field() == 1) spec.tensor_name = info.bytes();
    if (info.field() == 2) spec.type = static_cast<DataType>(info.number());
    if (info.field() == 3 && !parse_shape(info.bytes(), spec)) return false;
  }
  return info.ok();
}

// An entry of map<string, TensorInfo>: key = 1, value = 2.
bool parse_tensor_entry(std::string_view bytes, std::vector<TensorSpec>& specs) {
  TensorSpec spec;
  ProtoReader entry(bytes);
  while (entry.next()) {
    if (entry.field() == 1) spec.name = entry.bytes();
    if (entry.field() == 2 && !parse_tensor_info(entry.bytes(), spec)) return false;
  }
  specs.push_back(std::move(spec));
  return entry.ok();
}

// SignatureDef: inputs = 1, outputs = 2, method_name = 3.
bool parse_signature(std::string_view bytes, Signature& signature) {
  ProtoReader def(bytes);
  while (def.next()) {
    if (def.field() == 1 && !parse_tensor_entry(def.bytes(), signature.inputs)) return false;
    if (def.field() == 2 && !parse_tensor_entry(def.bytes(), signature.outputs)) return false;
    if (def.field() == 3) signature.method_name = def.bytes();
  }
  sort_by_name(signature.inputs);
  sort_by_name(signature.outputs);
  return def.ok();
}

// An entry of map<string, SignatureDef>: key = 1, value = 2.
bool parse_signature_entry(std::string_view bytes, std::vector<Signature>& signatures) {
  Signature signature;
  ProtoReader entry(bytes);
  while (entry.next()) {
    if (entry.field() == 1) signature.name = entry.bytes();
    if (entry.field() == 2 && !parse_signature(entry.bytes(), signature)) return false;
  }
  signatures.push_back(std::move(signature));
  return entry.ok();
}

// MetaInfoDef: tags = 4, tensorflow_version = 5.
bool parse_meta_info(std::string_view bytes, MetaGraph& graph) {
  ProtoReader info(bytes);
  while (info.next()) {
    if (info.field() == 4) graph.tags.emplace_back(info.bytes());
    if (info.field() == 5) graph.tensorflow_version = info.bytes();
  }
  return info.ok();
}

}  // namespace

// MetaGraphDef: meta_info_def = 1, signature_def = 5.
std::optional<MetaGraph> parse_meta_graph(std::string_view bytes) {
  MetaGraph graph;
  ProtoReader def(bytes);
  while (def.next()) {
    if (def.field() == 1 && !parse_meta_info(def.bytes(), graph)) return std::nullopt;
    if (def.field() == 5 && !parse_signature_entry(def.bytes(), graph.signatures)) return std::nullopt;
  }
  if (!def.ok()) return std::nullopt;
  sort_by_name(graph.signatures);
  return graph;
}

// SavedModel: meta_graphs = 2.
std::optional<std::vector<MetaGraph>> parse_saved_model(std::string_view bytes) {
  std::vector<MetaGraph> graphs;
  ProtoReader saved_model(bytes);
  while (saved_model.next()) {
    if (saved_model.field() != 2) continue;
    auto graph = parse_meta_graph(saved_model.bytes());
    if (!graph) return std::nullopt;
    graphs.push_back(*std::move(graph));
  }
  if (!saved_model.ok()) return std::nullopt;
  return graphs;
}

}  // namespace tidegate::model
