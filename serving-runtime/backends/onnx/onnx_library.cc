#include "serving-runtime/backends/onnx/onnx_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "serving-runtime/backends/shared_object.h"

namespace tidegate::serving {
namespace {

namespace fs = std::filesystem;

// The oldest release that has every function of the header we are built against.
const std::string kOldest = "1." + std::to_string(ORT_API_VERSION);

// libonnxruntime.so (Maven, NuGet), libonnxruntime.so.1 (npm, Debian) or libonnxruntime.so.1.31.1 (PyPI); the shortest
// name is the one that its folder's owner chose.
std::string find_library(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    std::string name = entry.path().filename().string();
    if (name == "libonnxruntime.so" || name.starts_with("libonnxruntime.so.")) found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found.empty() ? "" : found.front();
}

// ONNX Runtime's codes in those that every protocol of ours knows.
TidegateCode canonical(OrtErrorCode code) {
  switch (code) {
    case ORT_OK:
      return 0;
    case ORT_INVALID_ARGUMENT:
    case ORT_INVALID_GRAPH:
      return kInvalidArgument;
    case ORT_NO_SUCHFILE:
    case ORT_NOT_FOUND:
      return kNotFound;
    case ORT_INVALID_PROTOBUF:
      return kDataLoss;
    case ORT_NOT_IMPLEMENTED:
      return kUnimplemented;
    case ORT_NO_MODEL:
    case ORT_MODEL_LOADED:
    case ORT_MODEL_REQUIRES_COMPILATION:
      return kFailedPrecondition;
    case ORT_MODEL_LOAD_CANCELED:
      return kCancelled;
    default:  // a kernel's or a device's failure, and codes of newer releases
      return kInternal;
  }
}

}  // namespace

Failure OnnxLibrary::open(const std::vector<std::string>& folders, OnnxLibrary& library) {
  std::string path;
  for (const std::string& folder : folders) {
    if (path.empty()) path = find_library(folder);
  }
  if (path.empty()) {
    return {kNotFound, "libonnxruntime.so is in none of: " + join(folders) +
                           "; name its folder with --onnxruntime-dir or use an image that carries it (runtime-onnx)"};
  }
  // The packaged library would otherwise report every load and every model to its maker, from a thread of its own and
  // with an identifier that it writes into the home folder. It reads this once, before anything else.
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  std::string error;
  void* handle = open_shared_object(path, error);
  if (!handle) return {kFailedPrecondition, "cannot open ONNX Runtime: " + error};
  auto get_base = reinterpret_cast<decltype(&OrtGetApiBase)>(dlsym(handle, "OrtGetApiBase"));
  if (!get_base) return {kFailedPrecondition, path + " is no ONNX Runtime: it has no function OrtGetApiBase"};
  library.version = get_base()->GetVersionString();
  library.api = get_base()->GetApi(ORT_API_VERSION);
  if (library.api) return {};
  return {kFailedPrecondition, path + " is ONNX Runtime " + library.version + "; " + kOldest + " or newer is needed"};
}

Failure OnnxLibrary::failure(OrtStatus* status) const {
  if (!status) return {};
  Failure failed{canonical(api->GetErrorCode(status)), api->GetErrorMessage(status)};
  api->ReleaseStatus(status);
  return failed;
}

}  // namespace tidegate::serving
