#include "serving-runtime/backend_options.h"

#include <algorithm>
#include <thread>

namespace tidegate::serving {
namespace {

std::string lines_of(const std::vector<std::string>& entries) {
  std::string lines;
  for (const std::string& entry : entries) lines += entry + '\n';
  return lines;
}

BackendOptions tensorflow_options(const BackendFlags& flags) {
  return {
      {"library_dir", flags.tensorflow_dir},
      {"op_libraries", lines_of(flags.op_libraries)},
      {"tags", flags.saved_model_tags},
      {"intra_op_threads", std::to_string(flags.intra_op_threads)},
      {"inter_op_threads", std::to_string(flags.inter_op_threads)},
      {"xla", flags.tensorflow_xla ? "true" : "false"},
      {"onednn", flags.tensorflow_onednn ? "true" : "false"},
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

// Runs are work for a core each: more interpreters would only take memory, fewer let cores idle.
BackendOptions litert_options(const BackendFlags& flags) {
  const uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
  return {
      {"library_dir", flags.litert_dir},
      {"threads", std::to_string(flags.litert_threads ? flags.litert_threads : cores)},
      {"instances", std::to_string(flags.litert_instances ? flags.litert_instances : cores)},
      {"xnnpack", flags.litert_xnnpack ? "true" : "false"},
      {"raw_io", flags.litert_raw_io ? "true" : "false"},
  };
}

}  // namespace

BackendOptions backend_options(model::Format format, const BackendFlags& flags) {
  switch (format) {
    case model::Format::kSavedModel:
      return tensorflow_options(flags);
    case model::Format::kTflite:
      return litert_options(flags);
    case model::Format::kOnnx:
      return onnx_options(flags);
  }
  return {};
}

}  // namespace tidegate::serving
