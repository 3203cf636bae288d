#pragma once
// Which of the command line's flags each backend gets, in the words that it knows: one function a backend.
#include "model/model_format.h"
#include "serving-runtime/backend_flags.h"
#include "serving-runtime/backends/backend_loader.h"

namespace tidegate::serving {

// For the backend that runs `format`. Every option is given, with its default where the user said nothing.
BackendOptions backend_options(model::Format format, const BackendFlags& flags);

}  // namespace tidegate::serving
