// The litert backend's face to the host: backend_abi.h over LitertModel. Built as a shared object of its own with one
// exported symbol.
#include "serving-runtime/backends/backend_support.h"
#include "serving-runtime/backends/litert/litert_model.h"

// Build trees know where pip put LiteRT; installed ones do not.
#ifndef TIDEGATE_LITERT_DIR
#define TIDEGATE_LITERT_DIR ""
#endif

struct TidegateBackend {
  std::unique_ptr<tidegate::serving::litert::LitertLibrary> library;
  tidegate::serving::litert::LitertOptions options;
};

struct TidegateModel {
  std::unique_ptr<tidegate::serving::litert::LitertModel> model;
};

namespace tidegate::serving::litert {
namespace {

constexpr const char* kName = "litert";

TidegateCode open_backend(const TidegateOption* options, uint64_t num_options, TidegateBackend** backend,
                          TidegateError* error) noexcept {
  return guarded(kName, error, [&]() -> Failure {
    auto opened = std::make_unique<TidegateBackend>();
    for (uint64_t i = 0; i < num_options; ++i) {
      Failure failure = apply_option(options[i].key, options[i].value, opened->options);
      if (!failure.ok()) return failure;
    }
    Failure failure = LitertLibrary::open(library_folders(opened->options.library_dir, "litert", TIDEGATE_LITERT_DIR),
                                          opened->library);
    if (failure.ok()) *backend = opened.release();
    return failure;
  });
}

const char* library_version(TidegateBackend*) noexcept { return kLiteRtVersion; }

TidegateCode load(TidegateBackend* backend, const char* folder, TidegateModel** model, TidegateError* error) noexcept {
  return guarded(kName, error, [&]() -> Failure {
    auto loaded = std::make_unique<TidegateModel>();
    Failure failure = LitertModel::load(*backend->library, folder, backend->options, loaded->model);
    if (failure.ok()) *model = loaded.release();
    return failure;
  });
}

void unload(TidegateModel* model) noexcept { delete model; }

void signatures(TidegateModel* model, const TidegateSignature** signatures, uint64_t* count) noexcept {
  *signatures = model->model->signatures().data();
  *count = model->model->signatures().size();
}

TidegateCode run(TidegateModel* model, uint64_t signature, const TidegateTensor* inputs, uint64_t num_inputs,
                 const uint64_t* output_indices, uint64_t num_outputs, TidegateTensor* outputs,
                 TidegateError* error) noexcept {
  return guarded(kName, error, [&] {
    return model->model->run(signature, inputs, num_inputs, output_indices, num_outputs, outputs);
  });
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
}  // namespace tidegate::serving::litert

extern "C" __attribute__((visibility("default"))) const TidegateBackendApi* tidegate_backend_entry(
    uint32_t host_abi_version, uint64_t host_struct_size) {
  return tidegate::serving::offer(tidegate::serving::litert::kApi, host_abi_version, host_struct_size);
}
