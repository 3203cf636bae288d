#include "serving-runtime/backends/backend_loader.h"

#include <absl/strings/str_join.h>
#include <dlfcn.h>
#include <unistd.h>

#include <array>

#include "base/status.h"
#include "serving-runtime/backends/shared_object.h"
#include "serving-runtime/core/backend_abi.h"

namespace tidegate::serving {
namespace {

// Room for an error's text, on the stack.
class ErrorText {
 public:
  TidegateError* c() { return &error_; }
  absl::Status status(TidegateCode code) const {
    auto known = code > 0 && code <= 16 ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown;
    return absl::Status(known, text_.data());
  }

 private:
  std::array<char, 4096> text_{};
  TidegateError error_{text_.data(), text_.size()};
};

std::vector<model::TensorSpec> to_specs(const TidegateTensorSpec* specs, uint64_t count) {
  std::vector<model::TensorSpec> out;
  for (uint64_t i = 0; i < count; ++i) {
    model::TensorSpec spec;
    spec.name = specs[i].name;
    spec.tensor_name = specs[i].tensor_name;
    spec.type = static_cast<model::DataType>(specs[i].dtype);
    spec.unknown_rank = specs[i].rank < 0;
    if (specs[i].rank > 0) spec.shape.assign(specs[i].dims, specs[i].dims + specs[i].rank);
    out.push_back(std::move(spec));
  }
  return out;
}

class DynamicModel : public LoadedModel {
 public:
  DynamicModel(const TidegateBackendApi& api, TidegateModel* model) : api_(api), model_(model) {
    const TidegateSignature* signatures = nullptr;
    uint64_t count = 0;
    api_.signatures(model_, &signatures, &count);
    for (uint64_t i = 0; i < count; ++i) {
      const TidegateSignature& c = signatures[i];
      signatures_.push_back(
          {c.name, c.method_name, to_specs(c.inputs, c.num_inputs), to_specs(c.outputs, c.num_outputs)});
    }
  }
  ~DynamicModel() override { api_.unload(model_); }
  DynamicModel(const DynamicModel&) = delete;
  DynamicModel& operator=(const DynamicModel&) = delete;

  const std::vector<model::Signature>& signatures() const override { return signatures_; }

  absl::StatusOr<std::vector<Tensor>> run(size_t signature, std::span<Tensor> inputs,
                                          std::span<const uint64_t> outputs) const override {
    std::vector<TidegateTensor> given, returned(outputs.size());
    given.reserve(inputs.size());
    for (Tensor& input : inputs) given.push_back(input.hand_over());
    ErrorText error;
    TidegateCode code = api_.run(model_, signature, given.data(), given.size(), outputs.data(), outputs.size(),
                                 returned.data(), error.c());
    if (code != 0) return error.status(code);
    std::vector<Tensor> tensors;
    tensors.reserve(returned.size());
    for (const TidegateTensor& tensor : returned) tensors.emplace_back(tensor);
    return tensors;
  }

 private:
  const TidegateBackendApi& api_;
  TidegateModel* model_;
  std::vector<model::Signature> signatures_;
};

class DynamicBackend : public Backend {
 public:
  DynamicBackend(const TidegateBackendApi& api, TidegateBackend* backend) : api_(api), backend_(backend) {}
  std::string name() const override { return api_.name; }
  std::string library_version() const override { return api_.library_version(backend_); }

  absl::StatusOr<std::unique_ptr<LoadedModel>> load(const std::string& folder) const override {
    ErrorText error;
    TidegateModel* model = nullptr;
    TidegateCode code = api_.load(backend_, folder.c_str(), &model, error.c());
    if (code != 0) return error.status(code);
    return std::make_unique<DynamicModel>(api_, model);
  }

 private:
  const TidegateBackendApi& api_;
  TidegateBackend* backend_;
};

absl::StatusOr<std::string> find_backend(std::string_view name, const std::vector<std::string>& folders) {
  const std::string file = base::cat("libtidegate_backend_", name, ".so");
  for (const std::string& folder : folders) {
    std::string path = base::cat(folder, "/", file);
    if (access(path.c_str(), R_OK) == 0) return path;
  }
  return absl::NotFoundError(base::cat("The ", name, " backend (", file,
                                       ") is in none of: ", absl::StrJoin(folders, ", "), "; the image runtime-", name,
                                       " has it, or name its folder with --backend-dir"));
}

absl::StatusOr<const TidegateBackendApi*> shake_hands(const std::string& path) {
  std::string error;
  void* handle = open_shared_object(path, error);
  if (!handle) return absl::FailedPreconditionError(base::cat("Cannot open the backend ", path, ": ", error));
  auto entry = reinterpret_cast<TidegateBackendEntry>(dlsym(handle, TIDEGATE_BACKEND_ENTRY));
  if (!entry) {
    return absl::FailedPreconditionError(base::cat(path, " is no backend: it has no symbol " TIDEGATE_BACKEND_ENTRY));
  }
  const TidegateBackendApi* api = entry(TIDEGATE_BACKEND_ABI_VERSION, sizeof(TidegateBackendApi));
  if (!api || api->abi_version != TIDEGATE_BACKEND_ABI_VERSION || api->struct_size < sizeof(TidegateBackendApi)) {
    return absl::FailedPreconditionError(
        base::cat(path, " speaks another version of the backend interface than this tidegate-runtime (",
                  TIDEGATE_BACKEND_ABI_VERSION, "); use binaries of one release"));
  }
  return api;
}

}  // namespace

std::string_view backend_for(model::Format format) {
  switch (format) {
    case model::Format::kSavedModel:
      return "tensorflow";
    case model::Format::kTflite:
      return "litert";
    case model::Format::kOnnx:
      return "onnx";
  }
  return "";
}

absl::StatusOr<std::unique_ptr<Backend>> open_backend(std::string_view name, const std::vector<std::string>& folders,
                                                      const BackendOptions& options) {
  TG_ASSIGN_OR_RETURN(const std::string path, find_backend(name, folders));
  TG_ASSIGN_OR_RETURN(const TidegateBackendApi* api, shake_hands(path));
  std::vector<TidegateOption> c_options;
  for (const auto& [key, value] : options) c_options.push_back({key.c_str(), value.c_str()});
  ErrorText error;
  TidegateBackend* backend = nullptr;
  TidegateCode code = api->open(c_options.data(), c_options.size(), &backend, error.c());
  if (code != 0) return error.status(code);
  return std::make_unique<DynamicBackend>(*api, backend);
}

}  // namespace tidegate::serving
