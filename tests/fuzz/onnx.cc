// An ONNX file's description, as `inspect`, the loader and the onnx backend read it.
#include <algorithm>

#include "fuzz/fuzzing.h"
#include "model/onnx_proto.h"
#include "serving-runtime/tools/inspect_onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate;
  model::OnnxError error;
  auto parsed = model::parse_onnx(fuzz::as_text(data, size), error);
  if (!parsed) {
    fuzz::require(error.offset <= size && !error.problem.empty(), "a fault is told with its place in the file",
                  model::explain("file", size, error));
    return 0;
  }
  auto by_name = [](const auto& a, const auto& b) { return a.spec.name < b.spec.name; };
  for (const auto* values : {&parsed->inputs, &parsed->outputs}) {
    fuzz::require(std::is_sorted(values->begin(), values->end(), by_name), "inputs and outputs are sorted");
    for (const model::OnnxValue& value : *values) {
      fuzz::require(value.spec.shape.size() == value.dim_names.size(), "each size has its name or none");
      fuzz::require(std::all_of(value.spec.shape.begin(), value.spec.shape.end(), [](int64_t n) { return n >= -1; }),
                    "a size is a number or any");
    }
  }
  model::OnnxFile file{"file", *std::move(parsed)};
  fuzz::require(!serving::onnx_as_text(file).empty() && !serving::onnx_as_json(file).empty(), "a file can be told of");
  return 0;
}
