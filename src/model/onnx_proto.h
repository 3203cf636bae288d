#pragma once
// The parts of an ONNX file that say what it serves and where it comes from: inputs, outputs, operator sets, producer,
// metadata. Its graph and weights are stepped over. Free of libraries (see proto_reader.h). Field numbers:
// onnx/onnx.proto.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/signature.h"

namespace tidegate::model {

// The one signature that an ONNX model, which has none itself, is served under.
inline constexpr const char* kOnnxSignature = "serving_default";
inline constexpr const char* kOnnxMethod = "tensorflow/serving/predict";

// An input or output of the graph.
struct OnnxValue {
  TensorSpec spec;                     // type kInvalid: no tensor, or of an element type that no protocol carries
  std::string type;                    // in ONNX's words: "tensor(float)", "seq(map(int64,tensor(float)))"
  std::vector<std::string> dim_names;  // beside spec.shape: "batch" for a size that has that name, else empty
};

struct OnnxModel {
  int64_t ir_version = 0;
  std::string producer;
  std::string producer_version;
  std::string domain;
  int64_t model_version = 0;
  std::string graph;                      // its name
  std::map<std::string, int64_t> opsets;  // by domain; "ai.onnx" is ONNX's own
  std::map<std::string, std::string> metadata;
  std::vector<std::string> external_data;  // files beside it that hold weights, sorted, each once
  std::vector<OnnxValue> inputs;           // sorted by name, without those that have a default (initializers)
  std::vector<OnnxValue> outputs;          // sorted by name
};

// What is wrong with the bytes, and which byte shows it.
struct OnnxError {
  size_t offset = 0;
  std::string problem;
};

// Nothing, and `error` filled, when the bytes are not the message or hold no graph.
std::optional<OnnxModel> parse_onnx(std::string_view bytes, OnnxError& error);

// "/models/m/1/model.onnx (77 bytes) is not an ONNX model: byte 12: …; it may be cut short or corrupt"
std::string explain(const std::string& path, size_t size, const OnnxError& error);

}  // namespace tidegate::model
