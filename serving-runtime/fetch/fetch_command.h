#pragma once
// `tidegate-runtime fetch`: downloads one version of a model in an init container, before the server starts.
//
// The result goes to the termination log as one JSON object: {"digest":"sha256:…","bytes":N,"files":N}, or
// {"error":"<reason>","message":"<sentence>"} with the reasons of fetch_failure_reason.
#include <map>
#include <string>

#include "serving-runtime/fetch/fetch_plan.h"

namespace tidegate::serving {

// Called by main.cc with argv[0] == "fetch". Makes its own loop, clock, connections and threads. Returns 0 when the
// destination holds the version, 1 when not, 2 for arguments that make no sense.
int fetch_main(int argc, char** argv);

}  // namespace tidegate::serving
