// The onnx backend's face to the host: backend_abi.h over OnnxModel. Built as a shared object of its own with one
// exported symbol.
#include "serving-runtime/backends/backend_support.h"
#include "serving-runtime/backends/onnx/onnx_model.h"

// Build trees know where pip put ONNX Runtime; installed ones do not.
#ifndef TIDEGATE_ONNX_DIR
#define TIDEGATE_ONNX_DIR ""
#endif

struct TidegateBackend {
  std::unique_ptr<tidegate::serving::OnnxEnvironment> environment;
};

struct TidegateModel {
  std::unique_ptr<tidegate::serving::OnnxModel> model;
};

namespace tidegate::serving {
namespace {

constexpr const char* kName = "onnx";

TidegateCode open_backend(const TidegateOption* given, uint64_t count, TidegateBackend** backend,
                          TidegateError* error) noexcept {
  return guarded(kName, error, [&]() -> Failure {
    OnnxOptions options;
    for (uint64_t i = 0; i < count; ++i) {
      if (Failure failure = apply_option(given[i].key, given[i].value, options); !failure.ok()) return failure;
    }
    OnnxLibrary library;
    Failure failure =
        OnnxLibrary::open(library_folders(options.library_dir, "onnxruntime", TIDEGATE_ONNX_DIR), library);
    if (!failure.ok()) return failure;
    auto opened = std::make_unique<TidegateBackend>();
    failure = OnnxEnvironment::open(std::move(library), options, opened->environment);
    if (failure.ok()) *backend = opened.release();
    return failure;
  });
}

const char* library_version(TidegateBackend* backend) noexcept {
  return backend->environment->library().version.c_str();
}

TidegateCode load(TidegateBackend* backend, const char* folder, TidegateModel** model, TidegateError* error) noexcept {
  return guarded(kName, error, [&] {
    auto loaded = std::make_unique<TidegateModel>();
    Failure failure = OnnxModel::load(*backend->environment, folder, loaded->model);
    if (failure.ok()) *model = loaded.release();
    return failure;
  });
}

void unload(TidegateModel* model) noexcept { delete model; }

void signatures(TidegateModel* model, const TidegateSignature** signatures, uint64_t* count) noexcept {
  *signatures = &model->model->signature();
  *count = 1;
}

TidegateCode run(TidegateModel* model, uint64_t, const TidegateTensor* inputs, uint64_t num_inputs,
                 const uint64_t* output_indices, uint64_t num_outputs, TidegateTensor* outputs,
                 TidegateError* error) noexcept {
  return guarded(kName, error,
                 [&] { return model->model->run({inputs, num_inputs}, {output_indices, num_outputs}, outputs); });
}

constexpr TidegateBackendApi kApi = {sizeof(TidegateBackendApi),
                                     TIDEGATE_BACKEND_ABI_VERSION,
                                     kName,
                                     open_backend,
                                     library_version,
                                     load,
                                     unload,
                                     signatures,
                                     run};

}  // namespace
}  // namespace tidegate::serving

extern "C" __attribute__((visibility("default"))) const TidegateBackendApi* tidegate_backend_entry(
    uint32_t host_abi_version, uint64_t host_struct_size) {
  return tidegate::serving::offer(tidegate::serving::kApi, host_abi_version, host_struct_size);
}
