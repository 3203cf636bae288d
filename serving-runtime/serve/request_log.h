#pragma once
// The request log that `serve` was told to keep.
#include <absl/status/statusor.h>

#include <memory>

#include "base/clock.h"
#include "serving-runtime/recording/request_log.h"
#include "serving-runtime/serve/options.h"

namespace tidegate::serving {

// Null when none is wanted. INVALID_ARGUMENT names the flag, other errors the file that cannot be written.
absl::StatusOr<std::unique_ptr<RequestLog>> open_request_log(const RequestLogFlags& flags, const base::Clock& clock);

}  // namespace tidegate::serving
