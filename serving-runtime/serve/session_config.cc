#include "serving-runtime/serve/session_config.h"

#include "base/files.h"
#include "base/status.h"
#include "serving-runtime/api/text_format.h"
#include "tensorflow.pb.h"

namespace tidegate::serving {
namespace {

absl::Status apply(const tensorflow::GPUOptions& gpu, BackendFlags& flags) {
  if (gpu.has_allow_growth()) flags.gpu_allow_growth = gpu.allow_growth();
  if (gpu.has_visible_device_list()) flags.visible_gpus = gpu.visible_device_list();
  if (!gpu.has_per_process_gpu_memory_fraction()) return absl::OkStatus();
  flags.gpu_memory_fraction = gpu.per_process_gpu_memory_fraction();
  if (flags.gpu_memory_fraction >= 0 && flags.gpu_memory_fraction <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError("gpu_options.per_process_gpu_memory_fraction must be between 0 and 1");
}

absl::Status apply(const tensorflow::ConfigProto& config, BackendFlags& flags) {
  // TensorFlow ends the process for others.
  if (config.intra_op_parallelism_threads() < 0) {
    return absl::InvalidArgumentError("intra_op_parallelism_threads must not be negative");
  }
  if (config.inter_op_parallelism_threads() < -1) {
    return absl::InvalidArgumentError("inter_op_parallelism_threads must not be below -1");
  }
  if (config.has_intra_op_parallelism_threads()) flags.intra_op_threads = config.intra_op_parallelism_threads();
  if (config.has_inter_op_parallelism_threads()) flags.inter_op_threads = config.inter_op_parallelism_threads();
  const tensorflow::OptimizerOptions& optimizer = config.graph_options().optimizer_options();
  if (optimizer.has_global_jit_level()) flags.tensorflow_xla = optimizer.global_jit_level() > 0;
  return apply(config.gpu_options(), flags);
}

}  // namespace

absl::Status apply_session_config(const std::string& path, BackendFlags& flags) {
  TG_ASSIGN_OR_RETURN(const std::string text, base::read_file(path));
  tensorflow::ConfigProto config;
  absl::Status applied = parse_text_format(text, config);
  if (applied.ok()) applied = apply(config, flags);
  return base::annotate(applied, path);
}

}  // namespace tidegate::serving
