#pragma once
// `tidegate-runtime serve`: builds the server out of its parts, runs it until a signal, drains it.
#include "serving-runtime/serve/options.h"

namespace tidegate::serving {

// The process's exit code: 0 after a drain, 1 when the model cannot be loaded or a port not be had.
int serve(const ServeOptions& options);

}  // namespace tidegate::serving
