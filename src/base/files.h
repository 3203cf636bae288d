#pragma once
// Whole small files: tokens, certificates, kubeconfigs. Internal to src/kube.
#include <absl/status/statusor.h>

#include <string>

namespace tidegate::kube {

// NOT_FOUND or PERMISSION_DENIED with the path and the system's words.
absl::StatusOr<std::string> read_file(const std::string& path);

}  // namespace tidegate::kube
