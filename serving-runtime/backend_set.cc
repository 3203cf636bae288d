#include "serving-runtime/backend_set.h"

#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "serving-runtime/backend_options.h"

namespace tidegate::serving {

namespace fs = std::filesystem;

BackendSet::BackendSet(const BackendFlags& flags, Run open_on) : flags_(flags), open_on_(std::move(open_on)) {
  std::error_code ignored;
  fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  folders_ = {program / "backends", program / "../lib/tidegate/backends", "/usr/lib/tidegate/backends"};
  if (!flags.backend_dir.empty()) folders_ = {flags.backend_dir};
}

absl::StatusOr<const Backend*> BackendSet::for_folder(const std::string& folder) {
  TG_ASSIGN_OR_RETURN(model::Format format, model::detect_format(folder));
  return open(format);
}

absl::Status BackendSet::open_ahead() {
  if (flags_.op_libraries.empty()) return absl::OkStatus();
  return open(model::Format::kSavedModel).status();
}

absl::StatusOr<const Backend*> BackendSet::open(model::Format format) {
  std::lock_guard lock(mutex_);
  auto& backend = open_[format];
  if (backend) return backend.get();
  absl::StatusOr<std::unique_ptr<Backend>> opened;
  open_on_([&] { opened = open_backend(backend_for(format), folders_, backend_options(format, flags_)); });
  TG_ASSIGN_OR_RETURN(backend, std::move(opened));
  base::log_info("backend open", {{"backend", backend->name()}, {"library", backend->library_version()}});
  return backend.get();
}

}  // namespace tidegate::serving
