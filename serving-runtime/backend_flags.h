#pragma once
// How models are run, as the command line says it: to serve, validate, compare and bench alike.
#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tidegate::serving {

struct BackendFlags {
  std::string backend_dir;  // empty: where they are installed or built
  std::string tensorflow_dir;
  std::vector<std::string> op_libraries;   // shared objects that register custom TensorFlow ops
  std::string saved_model_tags = "serve";  // of the graph of a SavedModel that is loaded, with commas between
  int32_t intra_op_threads = 1;
  int32_t inter_op_threads = -1;
  bool tensorflow_xla = false;
  bool tensorflow_onednn = true;
  bool gpu_allow_growth = true;
  double gpu_memory_fraction = 0;
  std::string visible_gpus;
  std::string onnxruntime_dir;
  std::string onnx_graph_optimization = "all";
  uint64_t onnx_gpu_memory_limit = 0;  // bytes
  std::string litert_dir;
  uint32_t litert_threads = 1;    // inside one run; 0: one a core
  uint32_t litert_instances = 0;  // runs of a model at once; 0: one a core
  bool litert_xnnpack = true;
  bool litert_raw_io = false;
};

void add_backend_options(CLI::App& app, BackendFlags& options);

}  // namespace tidegate::serving
