#pragma once
// Tensors across the two interfaces: TidegateTensor <-> TF_Tensor, without copying numbers where TensorFlow allows.
#include "serving-runtime/backends/tensorflow/tensorflow_library.h"
#include "serving-runtime/core/backend_abi.h"

namespace tidegate::serving {

// Takes over `tensor`'s release; numbers are not copied when their data is aligned. Null (and the tensor released) when
// its bytes do not fit its shape.
TF_Tensor* to_tensorflow(const TensorflowLibrary& library, const TidegateTensor& tensor);

// Takes over `tensor`.
TidegateTensor from_tensorflow(const TensorflowLibrary& library, TF_Tensor* tensor);

}  // namespace tidegate::serving
