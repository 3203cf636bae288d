// The onnx backend: ONNX Runtime and the models that it runs, behind backend_face.h.
#include "serving-runtime/backends/backend_face.h"
#include "serving-runtime/backends/onnx/onnx_model.h"

namespace tidegate::serving {
namespace {

struct OnnxBackend : TidegateBackend {
  const char* library_version() const override { return environment->library().version.c_str(); }
  Failure load(const std::string& folder, std::unique_ptr<TidegateModel>& model) const override {
    return OnnxModel::load(*environment, folder, model);
  }

  std::unique_ptr<OnnxEnvironment> environment;
};

}  // namespace

const char* const kBackendName = "onnx";

Failure open_backend(std::span<const TidegateOption> given, std::unique_ptr<TidegateBackend>& backend) {
  OnnxOptions options;
  if (Failure failure = apply_options(given, options); !failure.ok()) return failure;
  OnnxLibrary library;
  Failure failure = OnnxLibrary::open(library_folders(options.library_dir, "onnxruntime"), library);
  if (!failure.ok()) return failure;
  auto opened = std::make_unique<OnnxBackend>();
  failure = OnnxEnvironment::open(std::move(library), options, opened->environment);
  if (failure.ok()) backend = std::move(opened);
  return failure;
}

}  // namespace tidegate::serving
