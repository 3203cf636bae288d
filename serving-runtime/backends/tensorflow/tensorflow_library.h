#pragma once
// TensorFlow's C API, opened at run time: libtensorflow is 1 GB and belongs to an image flavour, not to our binary.
// Only the tensorflow backend includes this.
#include <memory>
#include <string>
#include <vector>

#include <tensorflow/c/c_api.h>
#include <tensorflow/c/tf_tstring.h>

namespace tidegate::serving {

// Every function of the C API that the backend calls; named as there.
// clang-format off
#define TIDEGATE_TENSORFLOW_FUNCTIONS(F) \
  F(TF_Version) F(TF_NewStatus) F(TF_DeleteStatus) F(TF_GetCode) F(TF_Message) F(TF_NewBuffer) \
  F(TF_DeleteBuffer) F(TF_NewGraph) F(TF_DeleteGraph) F(TF_NewSessionOptions) F(TF_DeleteSessionOptions) \
  F(TF_SetConfig) F(TF_LoadSessionFromSavedModel) F(TF_CloseSession) F(TF_DeleteSession) F(TF_SessionRun) \
  F(TF_GraphOperationByName) F(TF_OperationNumOutputs) F(TF_NewTensor) F(TF_AllocateTensor) \
  F(TF_DeleteTensor) F(TF_TensorType) F(TF_NumDims) F(TF_Dim) F(TF_TensorByteSize) F(TF_TensorData) \
  F(TF_TensorElementCount) F(TF_StringInit) F(TF_StringCopy) F(TF_StringGetDataPointer) F(TF_StringGetSize) \
  F(TF_StringDealloc)
// clang-format on

struct TensorflowLibrary {
#define TIDEGATE_DECLARE(name) decltype(&::name) name = nullptr;
  TIDEGATE_TENSORFLOW_FUNCTIONS(TIDEGATE_DECLARE)
#undef TIDEGATE_DECLARE

  // Looks in `folders` in their order for libtensorflow_cc.so.2 or libtensorflow.so.2 (with libtensorflow_framework
  // beside it). On failure returns null and says in `error` where it looked. The library stays open for ever:
  // TensorFlow cannot be unloaded.
  static std::unique_ptr<TensorflowLibrary> open(const std::vector<std::string>& folders, std::string& error);
};

}  // namespace tidegate::serving
