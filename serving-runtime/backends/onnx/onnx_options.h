#pragma once
// What the onnx backend was told: its options, read from the host's pairs of words, and what they mean to ONNX
// Runtime's CUDA provider. Free of ONNX Runtime, so that it is tested without it.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "serving-runtime/backends/backend_support.h"

namespace tidegate::serving {

// The numbers are those of OrtGraphOptimizationLevel.
enum class GraphOptimization { kNone = 0, kBasic = 1, kExtended = 2, kAll = 99 };

struct OnnxOptions {
  // Folder of libonnxruntime.so; empty: near the backend.
  std::string library_dir;
  // Threads inside one operation, for all models together. 1 runs it in the request's own thread; 0: one a core.
  int intra_op_threads = 1;
  // Operations of one request that run at once. Below 2, and unless it is 0 (one a core), a graph runs in order in the
  // request's own thread.
  int inter_op_threads = -1;
  GraphOptimization graph_optimization = GraphOptimization::kAll;
  // The GPU that runs the models; none: the CPU.
  std::optional<int> gpu;
  // Bytes of its memory that one model may take; 0: no limit.
  uint64_t gpu_memory_limit = 0;

  bool parallel() const { return inter_op_threads == 0 || inter_op_threads > 1; }
};

// library_dir, intra_op_threads, inter_op_threads, graph_optimization (none, basic, extended, all), visible_gpus (one
// number, or empty), gpu_memory_limit. INVALID_ARGUMENT for another key and for a value that is none; says which.
Failure apply_option(const std::string& key, const std::string& value, OnnxOptions& options);

// Keys and values for ONNX Runtime's CUDA provider. `options.gpu` must be set.
std::vector<std::pair<std::string, std::string>> cuda_provider_options(const OnnxOptions& options);

}  // namespace tidegate::serving
