#pragma once
// Canonical error codes as HTTP statuses, as TensorFlow Serving maps them, and the error body {"error": "..."}.
#include <absl/status/status.h>

#include "net/http_server.h"

namespace tidegate::serving {

int to_http_status(absl::StatusCode code);
// The answer for an error; carries `x-tidegate-error: model` when the model itself raised it (see is_model_error).
net::ServerResponse error_response(const absl::Status& error);

}  // namespace tidegate::serving
