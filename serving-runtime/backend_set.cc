#include "serving-runtime/backend_set.h"

#include <filesystem>

#include "base/log.h"
#include "base/status.h"

namespace tidegate::serving {

namespace fs = std::filesystem;

BackendSet::BackendSet(const BackendFlags& flags) {
  options_["library_dir"] = flags.tensorflow_dir;
  options_["intra_op_threads"] = std::to_string(flags.intra_op_threads);
  options_["inter_op_threads"] = std::to_string(flags.inter_op_threads);
  options_["gpu_allow_growth"] = flags.gpu_allow_growth ? "true" : "false";
  options_["gpu_memory_fraction"] = std::to_string(flags.gpu_memory_fraction);
  options_["visible_gpus"] = flags.visible_gpus;
  std::error_code ignored;
  fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  folders_ = {program / "backends", program / "../lib/tidegate/backends", "/usr/lib/tidegate/backends"};
  if (!flags.backend_dir.empty()) folders_ = {flags.backend_dir};
}

absl::StatusOr<const Backend*> BackendSet::for_folder(const std::string& folder) {
  TG_ASSIGN_OR_RETURN(model::Format format, model::detect_format(folder));
  std::lock_guard lock(mutex_);
  auto& backend = open_[format];
  if (backend) return backend.get();
  TG_ASSIGN_OR_RETURN(backend, open_backend(backend_for(format), folders_, options_));
  base::log_info("backend open", {{"backend", backend->name()}, {"library", backend->library_version()}});
  return backend.get();
}

}  // namespace tidegate::serving
