#pragma once
// What a TFLite file holds: signatures, tensors with their quantisation, operators, metadata. Read in place, without a
// library, for `inspect` and for the litert backend, which hands only files to LiteRT that passed here: LiteRT and
// TFLite follow indices of tensors, buffers and subgraphs unchecked in places. Field numbers: TFLite's schema, version
// 3 (tensorflow/compiler/mlir/lite/schema/schema.fbs).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/data_type.h"
#include "model/flatbuffer_reader.h"

namespace tidegate::model {

// The number that a tensor of integers stands for is scale * (integer - zero point).
struct TfliteQuantization {
  std::vector<float> scales;  // none: not quantised; one: for the whole tensor; more: one a slice of `dimension`
  std::vector<int64_t> zero_points;
  int32_t dimension = 0;
};

struct TfliteTensor {
  std::string name;
  int type = 0;                    // TensorType of the schema
  std::vector<int64_t> shape;      // as stored; where any size goes it says 1 as a rule
  std::vector<int64_t> signature;  // the same with -1 where any size goes
  bool constant = false;           // its values are in the file
  bool variable = false;           // it keeps its values from run to run
  TfliteQuantization quantization;
};

// A named end of a signature.
struct TfliteEnd {
  std::string name;
  uint32_t tensor = 0;  // of the signature's subgraph
};

struct TfliteSignature {
  std::string name;
  uint32_t subgraph = 0;
  std::vector<TfliteEnd> inputs;   // sorted by name; every input of the subgraph
  std::vector<TfliteEnd> outputs;  // sorted by name; every output of the subgraph
};

struct TfliteSubgraph {
  std::string name;
  std::vector<TfliteTensor> tensors;
  std::vector<uint32_t> inputs;  // numbers of tensors, each once
  std::vector<uint32_t> outputs;
};

struct TfliteOperator {
  std::string name;  // "CONV_2D"; of a custom operator its own name
  bool custom = false;
  int32_t version = 1;
  uint64_t count = 0;  // in all subgraphs
};

struct TfliteMetadata {
  std::string name;
  uint64_t bytes = 0;
  std::string text;  // where it is short and readable
};

struct TfliteModel {
  std::string description;
  std::vector<TfliteSubgraph> subgraphs;    // at least one; the first is the main one
  std::vector<TfliteSignature> signatures;  // in the file's order; a file without any has serving_default
  bool signatures_are_made_up = false;
  std::vector<TfliteOperator> operators;  // sorted by name and version; those that occur
  std::vector<TfliteMetadata> metadata;   // in the file's order
  uint64_t constant_bytes = 0;            // weights and other constants
  bool keeps_state = false;               // variables that outlive a run: the next answer depends on the last
};

// The schema's word, "INT8", "STRING"; "TYPE_99" for numbers that it has not got.
std::string tflite_type_name(int type);
// kInvalid for types that no protocol can carry (INT4, RESOURCE, VARIANT, …).
DataType tflite_data_type(int type);

// Nothing, with `fault` set, when the bytes are not a whole TFLite model of schema version 3.
std::optional<TfliteModel> parse_tflite(std::string_view bytes, FileFault& fault);

// The fault as a sentence about the file at `path`.
std::string explain_tflite(const std::string& path, uint64_t bytes, const FileFault& fault);

}  // namespace tidegate::model
