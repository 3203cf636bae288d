#include "serving-runtime/backend_flags.h"

#include <CLI/CLI.hpp>

#include "serving-runtime/command_line.h"

namespace tidegate::serving {
namespace {

void add_onnx_options(CLI::App& app, BackendFlags& o) {
  const OptionGroup group(app, "Backend");
  app.add_option("--onnxruntime-dir", o.onnxruntime_dir, "Folder of libonnxruntime.so (default: near the backend)");
  app.add_option("--onnx-graph-optimization", o.onnx_graph_optimization,
                 "How far ONNX Runtime rewrites a graph when it loads it: none, basic, extended or all")
      ->check(CLI::IsMember({"none", "basic", "extended", "all"}))
      ->capture_default_str();
  app.add_option("--onnx-gpu-memory-limit", o.onnx_gpu_memory_limit,
                 "Bytes of GPU memory that one ONNX model may take; 0: no limit")
      ->transform(size_in_bytes())
      ->capture_default_str();
}

void add_litert_options(CLI::App& app, BackendFlags& o) {
  const OptionGroup group(app, "Backend");
  app.add_option("--litert-dir", o.litert_dir, "Folder of libLiteRt.so (default: near the backend)");
  app.add_option("--litert-threads", o.litert_threads, "Threads inside one run of a TFLite model; 0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--litert-instances", o.litert_instances,
                 "Runs of one TFLite model at once, each in an interpreter of its own; 0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_flag("--litert-xnnpack", o.litert_xnnpack,
               "Run TFLite models with XNNPACK's kernels where it has them (default: true)")
      ->capture_default_str();
  app.add_flag("--litert-raw-io", o.litert_raw_io,
               "Show quantised inputs and outputs as the integers that they are, not as floats")
      ->capture_default_str();
}

}  // namespace

void add_backend_options(CLI::App& app, BackendFlags& o) {
  const OptionGroup group(app, "Backend");
  app.add_option("--backend-dir", o.backend_dir,
                 "Folder of the backends (default: beside this program, "
                 "/usr/lib/tidegate/backends)");
  app.add_option("--tensorflow-dir", o.tensorflow_dir, "Folder of libtensorflow_cc.so.2 (default: near the backend)");
  app.add_option("--op-libraries", o.op_libraries,
                 "Shared objects with custom TensorFlow ops, loaded in this order before any model: a.so,b.so")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--saved-model-tags,--saved_model_tags", o.saved_model_tags,
                 "Tags of the graph of a SavedModel that is loaded, with commas between")
      ->capture_default_str();
  // Before the two that it stands for, which therefore count where they are given as well.
  app.add_option_function<int32_t>(
         "--tensorflow_session_parallelism",
         [&o](int32_t threads) { o.intra_op_threads = o.inter_op_threads = threads; },
         "The two flags that follow, as one; 0: one a core")
      ->check(CLI::Range(0, 4096));
  app.add_option("--intra-op-threads,--tensorflow_intra_op_parallelism", o.intra_op_threads,
                 "Threads inside one operation, for all models together; 0: one a core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--inter-op-threads,--tensorflow_inter_op_parallelism", o.inter_op_threads,
                 "Operations at once; -1: the request's own thread runs the graph; 0: one a core")
      ->check(CLI::Range(-1, 4096))
      ->capture_default_str();
  app.add_flag(
      "--tensorflow-xla", o.tensorflow_xla,
      "Compile parts of TensorFlow's graphs with XLA, for each shape that comes: only for models whose requests "
      "have few shapes (default: false)");
  app.add_flag("--tensorflow-onednn", o.tensorflow_onednn,
               "Let TensorFlow use oneDNN's kernels, which round differently from its own (default: true)");
  app.add_flag("--gpu-allow-growth", o.gpu_allow_growth,
               "Take GPU memory as needed, not all at the start (TensorFlow; default: true)")
      ->capture_default_str();
  app.add_option("--gpu-memory-fraction,--per_process_gpu_memory_fraction", o.gpu_memory_fraction,
                 "Share of each GPU's memory that may be used (TensorFlow); 0: no limit")
      ->check(share())
      ->capture_default_str();
  app.add_option("--visible-gpus", o.visible_gpus,
                 "GPUs to use, e.g. 0,1; empty: all for TensorFlow, none for ONNX, which takes one");
  add_onnx_options(app, o);
  add_litert_options(app, o);
}

}  // namespace tidegate::serving
