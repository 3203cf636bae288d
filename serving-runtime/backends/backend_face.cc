#include "serving-runtime/backends/backend_face.h"

#include <algorithm>
#include <cstring>
#include <exception>

namespace tidegate::serving {
namespace {

// Puts the text where the host wants it, cut to its room, and returns the code.
TidegateCode report(const Failure& failure, TidegateError* error) {
  if (failure.ok() || !error || error->capacity == 0) return failure.code;
  size_t size = std::min<size_t>(failure.message.size(), error->capacity - 1);
  std::memcpy(error->message, failure.message.data(), size);
  error->message[size] = 0;
  return failure.code;
}

template <class Function>
TidegateCode guarded(TidegateError* error, Function function) noexcept {
  try {
    return report(function(), error);
  } catch (const std::exception& caught) {
    return report({kInternal, std::string(kBackendName) + " backend: " + caught.what()}, error);
  } catch (...) {
    return report({kInternal, std::string(kBackendName) + " backend: unknown exception"}, error);
  }
}

TidegateCode open(const TidegateOption* options, uint64_t num_options, TidegateBackend** backend,
                  TidegateError* error) noexcept {
  return guarded(error, [&] {
    std::unique_ptr<TidegateBackend> opened;
    Failure failure = open_backend({options, num_options}, opened);
    if (failure.ok()) *backend = opened.release();
    return failure;
  });
}

const char* library_version(TidegateBackend* backend) noexcept { return backend->library_version(); }

TidegateCode load(TidegateBackend* backend, const char* folder, TidegateModel** model, TidegateError* error) noexcept {
  return guarded(error, [&] {
    std::unique_ptr<TidegateModel> loaded;
    Failure failure = backend->load(folder, loaded);
    if (failure.ok()) *model = loaded.release();
    return failure;
  });
}

void unload(TidegateModel* model) noexcept { delete model; }

void signatures(TidegateModel* model, const TidegateSignature** signatures, uint64_t* count) noexcept {
  const std::span<const TidegateSignature> all = model->signatures();
  *signatures = all.data();
  *count = all.size();
}

TidegateCode run(TidegateModel* model, uint64_t signature, const TidegateTensor* inputs, uint64_t num_inputs,
                 const uint64_t* output_indices, uint64_t num_outputs, TidegateTensor* outputs,
                 TidegateError* error) noexcept {
  return guarded(error,
                 [&] { return model->run(signature, {inputs, num_inputs}, {output_indices, num_outputs}, outputs); });
}

}  // namespace
}  // namespace tidegate::serving

extern "C" __attribute__((visibility("default"))) const TidegateBackendApi* tidegate_backend_entry(
    uint32_t host_abi_version, uint64_t host_struct_size) {
  using namespace tidegate::serving;
  static const TidegateBackendApi api = {sizeof(TidegateBackendApi),
                                         TIDEGATE_BACKEND_ABI_VERSION,
                                         kBackendName,
                                         open,
                                         library_version,
                                         load,
                                         unload,
                                         signatures,
                                         run};
  const bool fits = host_abi_version == TIDEGATE_BACKEND_ABI_VERSION && host_struct_size >= sizeof api;
  return fits ? &api : nullptr;
}
