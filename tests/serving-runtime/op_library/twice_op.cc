// A custom TensorFlow op, as users bring them with --op-libraries: TidegateTwice, y = 2 * x of floats. Over
// TensorFlow's C API, so that it compiles at once. python/test_op_libraries.py loads it.
#include <tensorflow/c/kernels.h>
#include <tensorflow/c/ops.h>
#include <tensorflow/c/tf_status.h>
#include <tensorflow/c/tf_tensor.h>

#include <cstdlib>
#include <vector>

namespace {

constexpr const char* kName = "TidegateTwice";

void compute(void*, TF_OpKernelContext* context) {
  TF_Status* status = TF_NewStatus();
  TF_Tensor* x = nullptr;
  TF_GetInput(context, 0, &x, status);
  if (TF_GetCode(status) == TF_OK) {
    std::vector<int64_t> dims;
    for (int i = 0; i < TF_NumDims(x); ++i) dims.push_back(TF_Dim(x, i));
    TF_Tensor* y = TF_AllocateOutput(context, 0, TF_FLOAT, dims.data(), static_cast<int>(dims.size()),
                                     TF_TensorByteSize(x), status);
    auto* from = static_cast<const float*>(TF_TensorData(x));
    auto* to = static_cast<float*>(TF_TensorData(y));
    for (int64_t i = 0; i < TF_TensorElementCount(x); ++i) to[i] = 2 * from[i];
    TF_DeleteTensor(y);
    TF_DeleteTensor(x);
  }
  if (TF_GetCode(status) != TF_OK) TF_OpKernelContext_Failure(context, status);
  TF_DeleteStatus(status);
}

// TensorFlow takes up what a library registers while it is opened.
const bool kRegistered = [] {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(kName);
  TF_OpDefinitionBuilderAddInput(op, "x: float");
  TF_OpDefinitionBuilderAddOutput(op, "y: float");
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, TF_ShapeInferenceContextSetUnknownShape);
  TF_RegisterOpDefinition(op, status);
  if (TF_GetCode(status) != TF_OK) std::abort();
  TF_KernelBuilder* kernel = TF_NewKernelBuilder(kName, "CPU", nullptr, compute, nullptr);
  TF_RegisterKernelBuilder(kName, kernel, status);
  if (TF_GetCode(status) != TF_OK) std::abort();
  TF_DeleteStatus(status);
  return true;
}();

}  // namespace
