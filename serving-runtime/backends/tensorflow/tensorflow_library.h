#pragma once
// TensorFlow's C API, opened at run time: libtensorflow is 1 GB and belongs to an image flavour, not to our binary.
// Only the tensorflow backend includes this.
#include <memory>
#include <string>
#include <vector>

#include <tensorflow/c/c_api.h>
#include <tensorflow/c/tf_tstring.h>

#include "serving-runtime/backends/backend_support.h"

namespace tidegate::serving {

// Every function of the C API that the backend calls; named as there.
// clang-format off
#define TIDEGATE_TENSORFLOW_FUNCTIONS(F) \
  F(TF_Version) F(TF_NewStatus) F(TF_DeleteStatus) F(TF_GetCode) F(TF_Message) F(TF_NewBuffer) \
  F(TF_DeleteBuffer) F(TF_NewGraph) F(TF_DeleteGraph) F(TF_NewSessionOptions) F(TF_DeleteSessionOptions) \
  F(TF_SetConfig) F(TF_NewSession) F(TF_LoadSessionFromSavedModel) F(TF_CloseSession) F(TF_DeleteSession) F(TF_SessionRun) \
  F(TF_GraphOperationByName) F(TF_OperationNumOutputs) F(TF_NewTensor) F(TF_AllocateTensor) \
  F(TF_DeleteTensor) F(TF_TensorType) F(TF_NumDims) F(TF_Dim) F(TF_TensorByteSize) F(TF_TensorData) \
  F(TF_TensorElementCount) F(TF_StringInit) F(TF_StringCopy) F(TF_StringGetDataPointer) F(TF_StringGetSize) \
  F(TF_StringDealloc) F(TF_LoadLibrary)
// clang-format on

struct TensorflowLibrary;

// A TF_Status that is freed, as what crosses our interface.
class ScopedStatus {
 public:
  explicit ScopedStatus(const TensorflowLibrary& library);
  ~ScopedStatus();
  ScopedStatus(const ScopedStatus&) = delete;
  ScopedStatus& operator=(const ScopedStatus&) = delete;
  TF_Status* get() const { return status_; }
  // TensorFlow's codes are the canonical ones.
  Failure failure() const;

 private:
  const TensorflowLibrary& library_;
  TF_Status* status_;
};

struct TensorflowLibrary {
#define TIDEGATE_DECLARE(name) decltype(&::name) name = nullptr;
  TIDEGATE_TENSORFLOW_FUNCTIONS(TIDEGATE_DECLARE)
#undef TIDEGATE_DECLARE

  // Looks in `folders` in their order for libtensorflow_cc.so.2 or libtensorflow.so.2 (with libtensorflow_framework
  // beside it). On failure returns null and says in `error` where it looked. The library stays open for ever:
  // TensorFlow cannot be unloaded.
  static std::unique_ptr<TensorflowLibrary> open(const std::vector<std::string>& folders, std::string& error);

  // Starts the threads that TensorFlow runs all models on, which are as nice as the thread that calls. `config`: a
  // ConfigProto, that of the models.
  Failure start_threads(const std::string& config) const;

  // Registers the ops and kernels of a shared object, which stays open for ever too. Before any model that uses them.
  // The failure names the file.
  Failure load_ops(const std::string& path) const;
};

}  // namespace tidegate::serving
