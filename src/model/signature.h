#pragma once
// What a model takes and gives: named, typed, shaped tensors under a signature's name. The same for every format.
#include <cstdint>
#include <string>
#include <vector>

#include "model/data_type.h"

namespace tidegate::model {

struct TensorSpec {
  std::string name;         // the alias that clients use: "x"
  std::string tensor_name;  // the format's own: "serving_default_x:0"
  DataType type = DataType::kInvalid;
  bool unknown_rank = false;
  std::vector<int64_t> shape;  // -1: any size
};

// Their names: "x,y".
std::string joined_names(const std::vector<TensorSpec>& specs);

struct Signature {
  std::string name;                 // "serving_default"
  std::string method_name;          // "tensorflow/serving/predict"; empty when the format has none
  std::vector<TensorSpec> inputs;   // sorted by name
  std::vector<TensorSpec> outputs;  // sorted by name
};

}  // namespace tidegate::model
