// The litert backend: LiteRT's library and the models that it runs, behind backend_face.h.
#include "serving-runtime/backends/backend_face.h"
#include "serving-runtime/backends/litert/litert_model.h"

namespace tidegate::serving {
namespace litert {
namespace {

struct LitertBackend : TidegateBackend {
  const char* library_version() const override { return kLiteRtVersion; }
  Failure load(const std::string& folder, std::unique_ptr<TidegateModel>& model) const override {
    return LitertModel::load(*library, folder, options, model);
  }

  std::unique_ptr<LitertLibrary> library;
  LitertOptions options;
};

}  // namespace
}  // namespace litert

const char* const kBackendName = "litert";

Failure open_backend(std::span<const TidegateOption> options, std::unique_ptr<TidegateBackend>& backend) {
  auto opened = std::make_unique<litert::LitertBackend>();
  Failure failure = apply_options(options, opened->options);
  if (!failure.ok()) return failure;
  failure = litert::LitertLibrary::open(library_folders(opened->options.library_dir, "litert"), opened->library);
  if (failure.ok()) backend = std::move(opened);
  return failure;
}

}  // namespace tidegate::serving
