#pragma once
// The one API server that all tests of this program share: it takes seconds to start.
#include <memory>

#include "conformance/api_server.h"

namespace tidegate::conformance {

// Made before the first test, gone after the last.
World& shared_world();
ApiServer& shared_server();

}  // namespace tidegate::conformance
