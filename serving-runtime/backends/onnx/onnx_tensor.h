#pragma once
// Tensors across the two interfaces: TidegateTensor <-> OrtValue, without copying numbers.
#include <span>

#include "serving-runtime/backends/onnx/onnx_environment.h"

namespace tidegate::serving {

// Numbers stay where they are: `tensor` must outlive `value`. Strings are copied. INVALID_ARGUMENT when its bytes do
// not fit its shape or ONNX has no such type.
Failure to_ort(const OnnxEnvironment& environment, const TidegateTensor& tensor, OrtOwned<OrtValue>& value);

// Takes over `value`, an output of a run on `inputs`; the tensor keeps it alive. Copied are only strings, and what lies
// in an input: a graph that hands an input through gives back the host's own memory, which the host is about to free.
Failure from_ort(const OnnxEnvironment& environment, OrtOwned<OrtValue> value, std::span<const TidegateTensor> inputs,
                 TidegateTensor& tensor);

}  // namespace tidegate::serving
