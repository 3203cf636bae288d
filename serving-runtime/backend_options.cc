#include "serving-runtime/backend_options.h"

namespace tidegate::serving {
namespace {

BackendOptions tensorflow_options(const BackendFlags& flags) {
  return {
      {"library_dir", flags.tensorflow_dir},
      {"intra_op_threads", std::to_string(flags.intra_op_threads)},
      {"inter_op_threads", std::to_string(flags.inter_op_threads)},
      {"gpu_allow_growth", flags.gpu_allow_growth ? "true" : "false"},
      {"gpu_memory_fraction", std::to_string(flags.gpu_memory_fraction)},
      {"visible_gpus", flags.visible_gpus},
  };
}

BackendOptions onnx_options(const BackendFlags& flags) {
  return {
      {"library_dir", flags.onnxruntime_dir},
      {"intra_op_threads", std::to_string(flags.intra_op_threads)},
      {"inter_op_threads", std::to_string(flags.inter_op_threads)},
      {"graph_optimization", flags.onnx_graph_optimization},
      {"gpu_memory_limit", std::to_string(flags.onnx_gpu_memory_limit)},
      {"visible_gpus", flags.visible_gpus},
  };
}

}  // namespace

BackendOptions backend_options(model::Format format, const BackendFlags& flags) {
  switch (format) {
    case model::Format::kSavedModel:
      return tensorflow_options(flags);
    case model::Format::kTflite:
      return {};
    case model::Format::kOnnx:
      return onnx_options(flags);
  }
  return {};
}

}  // namespace tidegate::serving
