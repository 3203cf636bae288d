// The tensorflow backend: TensorFlow's library and the models that it runs, behind backend_face.h.
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "serving-runtime/backends/backend_face.h"
#include "serving-runtime/backends/tensorflow/session_config.h"
#include "serving-runtime/backends/tensorflow/tensorflow_model.h"

namespace tidegate::serving {
namespace {

struct Options {
  std::string folder;
  std::vector<std::string> op_libraries;
  std::vector<std::string> tags = {"serve"};
  SessionConfig config;
  bool onednn = true;
};

std::vector<std::string> split(const std::string& text, char end) {
  std::istringstream in(text);
  std::vector<std::string> parts;
  for (std::string part; std::getline(in, part, end);) parts.push_back(part);
  return parts;
}

Failure apply_option(const std::string& key, const std::string& value, Options& options) {
  SessionConfig& config = options.config;
  try {
    if (key == "library_dir")
      options.folder = value;
    else if (key == "op_libraries")
      options.op_libraries = split(value, '\n');
    else if (key == "tags")
      options.tags = split(value, ',');
    else if (key == "intra_op_threads")
      config.intra_op_threads = std::stoi(value);
    else if (key == "inter_op_threads")
      config.inter_op_threads = std::stoi(value);
    else if (key == "xla")
      config.xla = value == "true";
    else if (key == "onednn")
      options.onednn = value == "true";
    else if (key == "gpu_allow_growth")
      config.gpu_allow_growth = value == "true";
    else if (key == "gpu_memory_fraction")
      config.gpu_memory_fraction = std::stod(value);
    else if (key == "visible_gpus")
      config.visible_gpus = value;
    else
      return {kInvalidArgument, "the tensorflow backend has no option '" + key + "'"};
  } catch (const std::logic_error&) {
    return {kInvalidArgument, "option " + key + " of the tensorflow backend is not a number: '" + value + "'"};
  }
  return {};
}

// What TensorFlow reads from the environment when it is opened. What the user has put there stays.
void set_environment(const Options& options) {
  // TensorFlow's own notes at start-up are no news to whoever reads the runtime's log; its warnings are.
  setenv("TF_CPP_MIN_LOG_LEVEL", "1", 0);
  // Without it the session's jit level counts for GPUs alone.
  if (options.config.xla) setenv("TF_XLA_FLAGS", "--tf_xla_cpu_global_jit", 0);
  if (!options.onednn) setenv("TF_ENABLE_ONEDNN_OPTS", "0", 1);
}

struct TensorflowBackend : TidegateBackend {
  const char* library_version() const override { return library->TF_Version(); }
  Failure load(const std::string& folder, std::unique_ptr<TidegateModel>& model) const override {
    return TensorflowModel::load(*library, folder, settings, model);
  }

  std::unique_ptr<TensorflowLibrary> library;
  TensorflowModel::Settings settings;
};

}  // namespace

const char* const kBackendName = "tensorflow";

Failure open_backend(std::span<const TidegateOption> given, std::unique_ptr<TidegateBackend>& backend) {
  Options options;
  if (Failure failure = apply_options(given, options); !failure.ok()) return failure;
  set_environment(options);
  auto opened = std::make_unique<TensorflowBackend>();
  Failure failure{kNotFound, {}};
  opened->library = TensorflowLibrary::open(library_folders(options.folder, "tensorflow"), failure.message);
  if (!opened->library) return failure;
  for (const std::string& path : options.op_libraries) {
    if (auto loaded = opened->library->load_ops(path); !loaded.ok()) return loaded;
  }
  opened->settings = {serialize(options.config), options.tags};
  failure = opened->library->start_threads(opened->settings.config);
  if (failure.ok()) backend = std::move(opened);
  return failure;
}

}  // namespace tidegate::serving
