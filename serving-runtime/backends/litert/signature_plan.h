#pragma once
// How a signature's named inputs and outputs, as clients see them, map to the numbered ones of its subgraph, as LiteRT
// wants them. Pure; built once a model.
#include <cstdint>
#include <string>
#include <vector>

#include "model/tflite_reader.h"
#include "serving-runtime/backends/backend_support.h"
#include "serving-runtime/backends/litert/litert_tensor.h"

namespace tidegate::serving::litert {

struct SignaturePlan {
  std::string name;
  std::vector<Port> inputs;   // by name, as clients see them
  std::vector<Port> outputs;  // by name
  // For each of the subgraph's inputs: which of `inputs` it is.
  std::vector<size_t> input_of_position;
  // For each of the subgraph's outputs: its tensor's number among the distinct ones, and for each of `outputs` the
  // same. A subgraph may return a tensor twice, and a signature may give it two names.
  std::vector<size_t> block_of_position;
  std::vector<size_t> block_of_output;
  // For each distinct output tensor: which of `inputs` it is, handed through; -1: none.
  std::vector<int> input_of_block;
  std::vector<Port> blocks;
};

// UNIMPLEMENTED, with signature, tensor and type named, when LiteRT's tensor buffers cannot hold an end of it.
// `raw_io`: clients see integers as they are.
Failure plan_signature(const model::TfliteModel& model, const model::TfliteSignature& signature, bool raw_io,
                       SignaturePlan& plan);

}  // namespace tidegate::serving::litert
