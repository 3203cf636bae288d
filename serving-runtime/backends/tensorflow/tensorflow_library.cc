#include "serving-runtime/backends/tensorflow/tensorflow_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include "serving-runtime/backends/shared_object.h"

namespace tidegate::serving {
namespace {

std::string find_library(const std::string& folder) {
  for (const char* name : {"/libtensorflow_cc.so.2", "/libtensorflow.so.2"}) {
    if (access((folder + name).c_str(), R_OK) == 0) return folder + name;
  }
  return {};
}

}  // namespace

ScopedStatus::ScopedStatus(const TensorflowLibrary& library) : library_(library), status_(library.TF_NewStatus()) {}
ScopedStatus::~ScopedStatus() { library_.TF_DeleteStatus(status_); }
Failure ScopedStatus::failure() const { return {library_.TF_GetCode(status_), library_.TF_Message(status_)}; }

std::unique_ptr<TensorflowLibrary> TensorflowLibrary::open(const std::vector<std::string>& folders,
                                                           std::string& error) {
  std::string folder, path, looked;
  for (const std::string& candidate : folders) {
    looked += (looked.empty() ? "" : ", ") + candidate;
    path = find_library(folder = candidate);
    if (!path.empty()) break;
  }
  if (path.empty()) {
    error = "libtensorflow_cc.so.2 is in none of: " + looked +
            "; name its folder with --tensorflow-dir or use an image that carries it (runtime-tensorflow)";
    return nullptr;
  }
  void* framework = open_shared_object(folder + "/libtensorflow_framework.so.2", error);
  void* library = framework ? open_shared_object(path, error) : nullptr;
  if (!library) return nullptr;

  auto loaded = std::make_unique<TensorflowLibrary>();
  const char* missing = nullptr;
#define TIDEGATE_LOOK_UP(function)                                                                                \
  loaded->function = reinterpret_cast<decltype(&::function)>(dlsym(library, #function));                          \
  if (!loaded->function) loaded->function = reinterpret_cast<decltype(&::function)>(dlsym(framework, #function)); \
  if (!loaded->function) missing = #function;
  TIDEGATE_TENSORFLOW_FUNCTIONS(TIDEGATE_LOOK_UP)
#undef TIDEGATE_LOOK_UP
  if (missing) {
    error = path + " has no function " + missing + "; TensorFlow 2.13 or newer is needed";
    return nullptr;
  }
  return loaded;
}

// TensorFlow starts them with the first session of the process.
Failure TensorflowLibrary::start_threads(const std::string& config) const {
  ScopedStatus status(*this);
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_Graph* graph = TF_NewGraph();
  TF_SetConfig(options, config.data(), config.size(), status.get());
  TF_Session* session = status.failure().ok() ? TF_NewSession(graph, options, status.get()) : nullptr;
  const Failure failure = status.failure();
  if (session != nullptr) {
    TF_CloseSession(session, status.get());
    TF_DeleteSession(session, status.get());
  }
  TF_DeleteGraph(graph);
  TF_DeleteSessionOptions(options);
  return failure;
}

// An op library finds TensorFlow's symbols by its own dependency on libtensorflow_framework.so.2, which is open
// already. The handle is kept: deleting it would not unload the ops.
Failure TensorflowLibrary::load_ops(const std::string& path) const {
  ScopedStatus status(*this);
  Failure failure{kFailedPrecondition, fault_of_shared_object(path)};
  if (failure.message.empty()) {
    TF_LoadLibrary(path.c_str(), status.get());
    failure = status.failure();
    if (failure.ok()) return failure;
  }
  return {failure.code, "the op library " + path + " of --op-libraries cannot be loaded into TensorFlow " +
                            TF_Version() + ": " + failure.message};
}

}  // namespace tidegate::serving
