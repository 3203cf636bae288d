#pragma once
/* The C interface between tidegate-runtime and a backend (a shared object that runs one model format). No C++ type,
 * exception or allocator crosses it, so a backend may carry its own copies of protobuf and Abseil.
 *
 * A backend exports one symbol, `tidegate_backend_entry`, and nothing else. Every function is noexcept and, unless said
 * otherwise, may be called from any thread.
 *
 * Compatibility: structures only grow at their end. Each side states the size it knows; neither reads beyond the
 * other's. A change that this does not cover raises TIDEGATE_BACKEND_ABI_VERSION, and the sides refuse each other.
 */
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIDEGATE_BACKEND_ABI_VERSION 1
#define TIDEGATE_BACKEND_ENTRY "tidegate_backend_entry"

/* Result codes are the canonical ones of gRPC and Abseil: 0 OK, 3 INVALID_ARGUMENT, 5 NOT_FOUND, ... */
typedef int32_t TidegateCode;

/* Where an error's text goes: at most `capacity` bytes, always terminated by NUL, cut if it is longer. */
typedef struct TidegateError {
  char* message;
  uint64_t capacity;
} TidegateError;

typedef struct TidegateString {
  const char* data; /* not terminated */
  uint64_t size;
} TidegateString;

/* A dense tensor in row-major order. Strings: `data` points to an array of TidegateString, `bytes` is its size.
 * Whoever made the tensor gives `release`; whoever received it calls release(owner) exactly once, from any thread, when
 * it reads the data no more. `data` of inputs is aligned to 64 bytes. */
typedef struct TidegateTensor {
  int32_t dtype; /* tidegate::model::DataType, the numbers of TensorFlow's types.proto */
  int32_t rank;
  const int64_t* dims; /* `rank` of them, each >= 0; valid until release, for inputs: until run returns */
  void* data;
  uint64_t bytes;
  void (*release)(void* owner);
  void* owner;
} TidegateTensor;

typedef struct TidegateTensorSpec {
  const char* name;
  const char* tensor_name;
  int32_t dtype;
  int32_t rank;        /* -1: not known */
  const int64_t* dims; /* -1: any */
} TidegateTensorSpec;

typedef struct TidegateSignature {
  const char* name;
  const char* method_name;
  const TidegateTensorSpec* inputs;
  uint64_t num_inputs;
  const TidegateTensorSpec* outputs;
  uint64_t num_outputs;
} TidegateSignature;

typedef struct TidegateOption {
  const char* key;
  const char* value; /* of a list: a line for each entry */
} TidegateOption;

typedef struct TidegateBackend TidegateBackend; /* the library, once a process */
typedef struct TidegateModel TidegateModel;     /* one loaded version */

typedef struct TidegateBackendApi {
  uint64_t struct_size;
  uint32_t abi_version;
  const char* name; /* "tensorflow" */

  /* Opens the library that runs models. An unknown option is an error. The backend lives until the process ends. */
  TidegateCode (*open)(const TidegateOption* options, uint64_t num_options, TidegateBackend** backend,
                       TidegateError* error);
  /* The library's version, "2.21.0"; lives as long as the backend. */
  const char* (*library_version)(TidegateBackend* backend);

  /* Loads one version's folder. Slow; may be called while other models run. */
  TidegateCode (*load)(TidegateBackend* backend, const char* folder, TidegateModel** model, TidegateError* error);
  /* Frees the model. Nothing may be running on it. Tensors that it returned stay valid. */
  void (*unload)(TidegateModel* model);
  /* The model's signatures, sorted by name; they live as long as the model. */
  void (*signatures)(TidegateModel* model, const TidegateSignature** signatures, uint64_t* count);

  /* Runs signature number `signature`. `inputs`: one for each of its inputs, in its order; the backend releases every
   * one of them, also when it fails. `output_indices`: which of its outputs, in the order wanted; `outputs` has room
   * for `num_outputs` and is filled only when the result is OK. */
  TidegateCode (*run)(TidegateModel* model, uint64_t signature, const TidegateTensor* inputs, uint64_t num_inputs,
                      const uint64_t* output_indices, uint64_t num_outputs, TidegateTensor* outputs,
                      TidegateError* error);
} TidegateBackendApi;

/* Null when the backend cannot serve a host of that version and size. The structure is static. */
typedef const TidegateBackendApi* (*TidegateBackendEntry)(uint32_t host_abi_version, uint64_t host_struct_size);

#ifdef __cplusplus
}
#endif
