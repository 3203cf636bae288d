#pragma once
// LiteRT's library, opened at run time: it belongs to an image flavour, not to our binary.
#include <memory>
#include <string>
#include <vector>

#include "serving-runtime/backends/backend_support.h"
#include "serving-runtime/backends/litert/litert_api.h"

namespace tidegate::serving::litert {

// Every function that the backend calls; named as in LiteRT.
// clang-format off
#define TIDEGATE_LITERT_FUNCTIONS(F) \
  F(LiteRtCreateEnvironment) F(LiteRtCreateModelFromBuffer) F(LiteRtDestroyModel) \
  F(LiteRtCreateOptions) F(LiteRtDestroyOptions) F(LiteRtSetOptionsHardwareAccelerators) \
  F(LiteRtCreateOpaqueOptions) F(LiteRtAddOpaqueOptions) F(LiteRtCreateCompiledModel) \
  F(LiteRtDestroyCompiledModel) F(LiteRtCompiledModelResizeInputTensor) \
  F(LiteRtGetCompiledModelOutputTensorLayouts) F(LiteRtRunCompiledModel) F(LiteRtCompiledModelGetErrorMessages) \
  F(LiteRtCompiledModelClearErrors) F(LiteRtCreateTensorBufferFromHostMemory) F(LiteRtDestroyTensorBuffer) \
  F(LiteRtGetTensorBufferTensorType)
// clang-format on

struct LitertLibrary {
#define TIDEGATE_DECLARE(name) decltype(&::name) name = nullptr;
  TIDEGATE_LITERT_FUNCTIONS(TIDEGATE_DECLARE)
#undef TIDEGATE_DECLARE
  LiteRtEnvironment environment = nullptr;  // for all models; CPU only

  // Looks in `folders` in their order for libLiteRt.so. NOT_FOUND when it is in none, FAILED_PRECONDITION when it is
  // not the version that litert_api.h declares. The library does not know its version: it is that of the wheel's
  // <package>-<version>.dist-info beside the folder, or the text of a file VERSION in the folder. The library stays
  // open for ever.
  static Failure open(const std::vector<std::string>& folders, std::unique_ptr<LitertLibrary>& library);
};

// A status as a canonical code and in words.
Failure failure_of(LiteRtStatus status, const std::string& what);

}  // namespace tidegate::serving::litert
