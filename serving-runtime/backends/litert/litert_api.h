#pragma once
// The part of LiteRT's C interface that the litert backend calls, declared here because no package carries LiteRT's own
// headers. The declarations are of the version below; LitertLibrary::open refuses another version, a library that lacks
// one of the functions and one that reads a structure differently. Only the litert backend includes this.
#include <cstddef>
#include <cstdint>

// Of the PyPI package ai-edge-litert, which has libLiteRt.so.
inline constexpr char kLiteRtVersion[] = "2.3.0";

extern "C" {

typedef struct LiteRtEnvironmentT* LiteRtEnvironment;
typedef struct LiteRtModelT* LiteRtModel;
typedef struct LiteRtOptionsT* LiteRtOptions;
typedef struct LiteRtOpaqueOptionsT* LiteRtOpaqueOptions;
typedef struct LiteRtCompiledModelT* LiteRtCompiledModel;
typedef struct LiteRtTensorBufferT* LiteRtTensorBuffer;

typedef int32_t LiteRtStatus;  // an enumeration; 0 is success

inline constexpr int kLiteRtHwAcceleratorCpu = 1;
inline constexpr size_t kLiteRtHostMemoryAlignment = 64;  // bytes
inline constexpr int kLiteRtMaxRank = 8;

typedef struct LiteRtAny {
  int32_t type;  // kLiteRtAnyTypeInt
  union {
    bool bool_value;
    int64_t int_value;
    double real_value;
    const char* str_value;
    const void* ptr_value;
  };
} LiteRtAny;
inline constexpr int32_t kLiteRtAnyTypeInt = 2;

typedef struct LiteRtEnvOption {
  int32_t tag;
  LiteRtAny value;
} LiteRtEnvOption;
inline constexpr int32_t kLiteRtEnvOptionAutoRegisterAccelerators = 24;
inline constexpr int32_t kLiteRtEnvOptionMinLoggerSeverity = 25;
inline constexpr int64_t kLiteRtLogSeverityError = 3;

typedef struct LiteRtLayout {
  unsigned int rank : 7;
  unsigned int has_strides : 1;
  int32_t dimensions[kLiteRtMaxRank];
  uint32_t strides[kLiteRtMaxRank];
} LiteRtLayout;

typedef struct LiteRtRankedTensorType {
  int32_t element_type;  // TFLite's TfLiteType, see element_type_of() in litert_tensor.h
  LiteRtLayout layout;
} LiteRtRankedTensorType;

static_assert(sizeof(LiteRtAny) == 16 && sizeof(LiteRtEnvOption) == 24);
static_assert(sizeof(LiteRtLayout) == 68 && offsetof(LiteRtLayout, dimensions) == 4);
static_assert(sizeof(LiteRtRankedTensorType) == 72);

LiteRtStatus LiteRtCreateEnvironment(int num_options, const LiteRtEnvOption* options, LiteRtEnvironment* environment);

// The buffer must live as long as the model.
LiteRtStatus LiteRtCreateModelFromBuffer(LiteRtEnvironment environment, const void* buffer, size_t size,
                                         LiteRtModel* model);
void LiteRtDestroyModel(LiteRtModel model);

LiteRtStatus LiteRtCreateOptions(LiteRtOptions* options);
void LiteRtDestroyOptions(LiteRtOptions options);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions options, int accelerators);
// A named text of settings (TOML). `options` of LiteRtAddOpaqueOptions takes it over.
LiteRtStatus LiteRtCreateOpaqueOptions(const char* identifier, void* payload, void (*free_payload)(void*),
                                       LiteRtOpaqueOptions* options);
LiteRtStatus LiteRtAddOpaqueOptions(LiteRtOptions options, LiteRtOpaqueOptions opaque);

// Compiled models are not thread-safe.
LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment environment, LiteRtModel model, LiteRtOptions options,
                                       LiteRtCompiledModel* compiled);
void LiteRtDestroyCompiledModel(LiteRtCompiledModel compiled);
LiteRtStatus LiteRtCompiledModelResizeInputTensor(LiteRtCompiledModel compiled, size_t signature, size_t input,
                                                  const int* dims, size_t rank);
LiteRtStatus LiteRtGetCompiledModelOutputTensorLayouts(LiteRtCompiledModel compiled, size_t signature, size_t count,
                                                       LiteRtLayout* layouts, bool update_allocation);
LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel compiled, size_t signature, size_t num_inputs,
                                    LiteRtTensorBuffer* inputs, size_t num_outputs, LiteRtTensorBuffer* outputs);
// free() the text.
LiteRtStatus LiteRtCompiledModelGetErrorMessages(LiteRtCompiledModel compiled, char** messages);
LiteRtStatus LiteRtCompiledModelClearErrors(LiteRtCompiledModel compiled);

LiteRtStatus LiteRtCreateTensorBufferFromHostMemory(const LiteRtRankedTensorType* type, void* memory, size_t size,
                                                    void (*free_memory)(void*), LiteRtTensorBuffer* buffer);
void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer buffer);
LiteRtStatus LiteRtGetTensorBufferTensorType(LiteRtTensorBuffer buffer, LiteRtRankedTensorType* type);

}  // extern "C"
