// The tensorflow backend's face to the host: backend_abi.h over TensorflowModel. Built as a shared object of its own
// with one exported symbol.
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "serving-runtime/backends/backend_support.h"
#include "serving-runtime/backends/tensorflow/session_config.h"
#include "serving-runtime/backends/tensorflow/tensorflow_model.h"

// Build trees know where pip put TensorFlow; installed ones do not.
#ifndef TIDEGATE_TENSORFLOW_DIR
#define TIDEGATE_TENSORFLOW_DIR ""
#endif

struct TidegateBackend {
  std::unique_ptr<tidegate::serving::TensorflowLibrary> library;
  tidegate::serving::TensorflowModel::Settings settings;
};

struct TidegateModel {
  std::unique_ptr<tidegate::serving::TensorflowModel> model;
};

namespace tidegate::serving {
namespace {

constexpr const char* kName = "tensorflow";

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

TidegateCode open_backend(const TidegateOption* options, uint64_t num_options, TidegateBackend** backend,
                          TidegateError* error) noexcept {
  return guarded(kName, error, [&]() -> Failure {
    Options chosen;
    for (uint64_t i = 0; i < num_options; ++i) {
      if (auto failure = apply_option(options[i].key, options[i].value, chosen); !failure.ok()) return failure;
    }
    set_environment(chosen);
    auto opened = std::make_unique<TidegateBackend>();
    Failure failure{kNotFound, {}};
    opened->library =
        TensorflowLibrary::open(library_folders(chosen.folder, "tensorflow", TIDEGATE_TENSORFLOW_DIR), failure.message);
    if (!opened->library) return failure;
    for (const std::string& path : chosen.op_libraries) {
      if (auto loaded = opened->library->load_ops(path); !loaded.ok()) return loaded;
    }
    opened->settings = {serialize(chosen.config), chosen.tags};
    failure = opened->library->start_threads(opened->settings.config);
    if (failure.ok()) *backend = opened.release();
    return failure;
  });
}

const char* library_version(TidegateBackend* backend) noexcept { return backend->library->TF_Version(); }

TidegateCode load(TidegateBackend* backend, const char* folder, TidegateModel** model, TidegateError* error) noexcept {
  return guarded(kName, error, [&]() -> Failure {
    auto loaded = std::make_unique<TidegateModel>();
    Failure failure = TensorflowModel::load(*backend->library, folder, backend->settings, loaded->model);
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
}  // namespace tidegate::serving

extern "C" __attribute__((visibility("default"))) const TidegateBackendApi* tidegate_backend_entry(
    uint32_t host_abi_version, uint64_t host_struct_size) {
  return tidegate::serving::offer(tidegate::serving::kApi, host_abi_version, host_struct_size);
}
