#include "model/onnx_proto.h"

#include <algorithm>
#include <set>

#include "model/onnx_type.h"
#include "model/proto_reader.h"

namespace tidegate::model {
namespace {

// Deeper than any honest type: seq(map(int64,tensor(float))) is three.
constexpr int kDeepestType = 16;

// Reads one file; remembers the first thing that is wrong with it.
class OnnxParser {
 public:
  OnnxParser(std::string_view file, OnnxError& error) : file_(file), error_(error) {}

  // ModelProto: ir_version = 1, producer_name = 2, producer_version = 3, domain = 4, model_version = 5, graph = 7,
  // opset_import = 8, metadata_props = 14.
  bool parse(OnnxModel& model) {
    bool has_graph = false;
    ProtoReader proto(file_);
    while (proto.next()) {
      if (proto.field() == 1) model.ir_version = proto.signed_number();
      if (proto.field() == 2) model.producer = proto.bytes();
      if (proto.field() == 3) model.producer_version = proto.bytes();
      if (proto.field() == 4) model.domain = proto.bytes();
      if (proto.field() == 5) model.model_version = proto.signed_number();
      if (proto.field() == 7) {
        has_graph = true;
        if (!parse_graph(proto.bytes(), model)) return false;
      }
      if (proto.field() == 8 && !parse_opset(proto.bytes(), model)) return false;
      if (proto.field() == 14 && !parse_metadata(proto.bytes(), model)) return false;
    }
    if (!whole(proto)) return false;
    return has_graph || fail(file_.data() + file_.size(), "the file ends without a graph");
  }

 private:
  bool fail(const char* where, std::string problem) {
    error_ = {where ? static_cast<size_t>(where - file_.data()) : 0, std::move(problem)};
    return false;
  }

  // Every message is read to its end; a field that is not whole is where the damage shows first.
  bool whole(const ProtoReader& proto) {
    return proto.ok() || fail(proto.begin(), "a field that is cut short, or no field at all");
  }

  // OperatorSetIdProto: domain = 1, version = 2. An empty domain is ONNX's own.
  bool parse_opset(std::string_view bytes, OnnxModel& model) {
    std::string domain;
    int64_t version = 0;
    ProtoReader opset(bytes);
    while (opset.next()) {
      if (opset.field() == 1) domain = opset.bytes();
      if (opset.field() == 2) version = opset.signed_number();
    }
    model.opsets[domain.empty() ? "ai.onnx" : domain] = version;
    return whole(opset);
  }

  // StringStringEntryProto: key = 1, value = 2.
  bool parse_entry(std::string_view bytes, std::string& key, std::string& value) {
    ProtoReader entry(bytes);
    while (entry.next()) {
      if (entry.field() == 1) key = entry.bytes();
      if (entry.field() == 2) value = entry.bytes();
    }
    return whole(entry);
  }

  bool parse_metadata(std::string_view bytes, OnnxModel& model) {
    std::string key, value;
    if (!parse_entry(bytes, key, value)) return false;
    model.metadata[key] = value;
    return true;
  }

  // GraphProto: name = 2, initializer = 5, input = 11, output = 12, sparse_initializer = 15. Before IR version 4 every
  // initializer is an input as well.
  bool parse_graph(std::string_view bytes, OnnxModel& model) {
    std::set<std::string> initializers, external;
    ProtoReader graph(bytes);
    while (graph.next()) {
      if (graph.field() == 2) model.graph = graph.bytes();
      if (graph.field() == 5 && !parse_initializer(graph.bytes(), initializers, external)) return false;
      if (graph.field() == 11 && !parse_value(graph.bytes(), model.inputs)) return false;
      if (graph.field() == 12 && !parse_value(graph.bytes(), model.outputs)) return false;
      if (graph.field() == 15 && !parse_sparse_initializer(graph.bytes(), initializers, external)) return false;
    }
    std::erase_if(model.inputs, [&](const OnnxValue& value) { return initializers.contains(value.spec.name); });
    model.external_data.assign(external.begin(), external.end());
    for (auto* values : {&model.inputs, &model.outputs}) {
      std::sort(values->begin(), values->end(),
                [](const OnnxValue& a, const OnnxValue& b) { return a.spec.name < b.spec.name; });
    }
    return whole(graph);
  }

  // TensorProto: name = 8, external_data = 13 (its key `location` is a file beside the model).
  bool parse_initializer(std::string_view bytes, std::set<std::string>& names, std::set<std::string>& external) {
    ProtoReader tensor(bytes);
    while (tensor.next()) {
      if (tensor.field() == 8) names.emplace(tensor.bytes());
      if (tensor.field() != 13) continue;
      std::string key, value;
      if (!parse_entry(tensor.bytes(), key, value)) return false;
      if (key == "location") external.insert(value);
    }
    return whole(tensor);
  }

  // SparseTensorProto: values = 1, whose name is the sparse tensor's.
  bool parse_sparse_initializer(std::string_view bytes, std::set<std::string>& names, std::set<std::string>& external) {
    ProtoReader sparse(bytes);
    while (sparse.next()) {
      if (sparse.field() == 1 && !parse_initializer(sparse.bytes(), names, external)) return false;
    }
    return whole(sparse);
  }

  // ValueInfoProto: name = 1, type = 2.
  bool parse_value(std::string_view bytes, std::vector<OnnxValue>& values) {
    OnnxValue value;
    ProtoReader info(bytes);
    while (info.next()) {
      if (info.field() == 1) value.spec.name = info.bytes();
      if (info.field() == 2 && !parse_type(info.bytes(), 1, value.type, &value)) return false;
    }
    value.spec.tensor_name = value.spec.name;
    if (value.type.empty()) value.type = "undefined";
    values.push_back(std::move(value));
    return whole(info);
  }

  // TypeProto: tensor_type = 1, sequence_type = 4, map_type = 5, sparse_tensor_type = 8, optional_type = 9. `value` is
  // null inside another type, whose elements have no shape of their own that we tell.
  bool parse_type(std::string_view bytes, int depth, std::string& type, OnnxValue* value) {
    if (depth > kDeepestType) return fail(bytes.data(), "a type within more than 16 others");
    ProtoReader proto(bytes);
    while (proto.next()) {
      std::string_view inner = proto.bytes();
      bool parsed = true;
      if (proto.field() == 1) parsed = parse_tensor_type(inner, "tensor", type, value);
      if (proto.field() == 8) parsed = parse_tensor_type(inner, "sparse_tensor", type, nullptr);
      if (proto.field() == 4) parsed = parse_container(inner, "seq", depth, type);
      if (proto.field() == 5) parsed = parse_map(inner, depth, type);
      if (proto.field() == 9) parsed = parse_container(inner, "optional", depth, type);
      if (!parsed) return false;
    }
    return whole(proto);
  }

  // TypeProto.Tensor and SparseTensor: elem_type = 1, shape = 2.
  bool parse_tensor_type(std::string_view bytes, const char* kind, std::string& type, OnnxValue* value) {
    int32_t element = 0;
    bool has_shape = false;
    ProtoReader tensor(bytes);
    while (tensor.next()) {
      if (tensor.field() == 1) element = static_cast<int32_t>(tensor.number());
      if (tensor.field() != 2 || !value) continue;
      has_shape = true;
      if (!parse_shape(tensor.bytes(), *value)) return false;
    }
    type = std::string(kind) + "(" + std::string(onnx_type_name(element)) + ")";
    if (value) {
      value->spec.type = from_onnx_type(element);
      value->spec.unknown_rank = !has_shape;
    }
    return whole(tensor);
  }

  // TypeProto.Sequence and Optional: elem_type = 1.
  bool parse_container(std::string_view bytes, const char* kind, int depth, std::string& type) {
    std::string element = "undefined";
    ProtoReader container(bytes);
    while (container.next()) {
      if (container.field() == 1 && !parse_type(container.bytes(), depth + 1, element, nullptr)) return false;
    }
    type = std::string(kind) + "(" + element + ")";
    return whole(container);
  }

  // TypeProto.Map: key_type = 1, value_type = 2.
  bool parse_map(std::string_view bytes, int depth, std::string& type) {
    int32_t key = 0;
    std::string element = "undefined";
    ProtoReader map(bytes);
    while (map.next()) {
      if (map.field() == 1) key = static_cast<int32_t>(map.number());
      if (map.field() == 2 && !parse_type(map.bytes(), depth + 1, element, nullptr)) return false;
    }
    type = "map(" + std::string(onnx_type_name(key)) + "," + element + ")";
    return whole(map);
  }

  // TensorShapeProto: dim = 1 {dim_value = 1, dim_param = 2}.
  bool parse_shape(std::string_view bytes, OnnxValue& value) {
    ProtoReader shape(bytes);
    while (shape.next()) {
      if (shape.field() != 1) continue;
      int64_t size = -1;
      std::string name;
      ProtoReader dim(shape.bytes());
      while (dim.next()) {
        if (dim.field() == 1) size = std::max<int64_t>(dim.signed_number(), -1);
        if (dim.field() == 2) name = dim.bytes();
      }
      if (!whole(dim)) return false;
      value.spec.shape.push_back(size);
      value.dim_names.push_back(std::move(name));
    }
    return whole(shape);
  }

  std::string_view file_;
  OnnxError& error_;
};

}  // namespace

std::optional<OnnxModel> parse_onnx(std::string_view bytes, OnnxError& error) {
  OnnxModel model;
  if (!OnnxParser(bytes, error).parse(model)) return std::nullopt;
  return model;
}

std::string explain(const std::string& path, size_t size, const OnnxError& error) {
  return path + " (" + std::to_string(size) + " bytes) is not an ONNX model: byte " + std::to_string(error.offset) +
         ": " + error.problem + "; it may be cut short or corrupt";
}

}  // namespace tidegate::model
