#pragma once
// TensorFlow's ConfigProto as text, as tensorflow_model_server takes it -> how models are run. Called while the command
// line is read, since flags of their own count more than the file.
#include <absl/status/status.h>

#include <string>

#include "serving-runtime/backend_flags.h"

namespace tidegate::serving {

// Sets what the file says and leaves the rest. INVALID_ARGUMENT with the place of a field that is no option here, and
// for one that has no meaning; NOT_FOUND without the file.
absl::Status apply_session_config(const std::string& path, BackendFlags& flags);

}  // namespace tidegate::serving
