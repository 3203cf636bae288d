#pragma once
// Runs another program to its end without blocking the loop. Used for credential plugins.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"

namespace tidegate::base {

struct ProgramCall {
  std::string command;  // looked up on PATH unless it holds a '/'
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;  // on top of our own
  absl::Duration timeout = absl::Minutes(1);
};

struct ProgramResult {
  int exit_code = 0;  // 128 + the signal when one ended it
  std::string output;
  std::string errors;
};

// Standard input is empty. NOT_FOUND or PERMISSION_DENIED when it cannot be started, DEADLINE_EXCEEDED or CANCELLED
// when it had to be killed, RESOURCE_EXHAUSTED when it wrote more than 1 MiB. `clock` and `scope` must outlive the
// task.
Task<absl::StatusOr<ProgramResult>> run_program(ProgramCall call, Clock& clock, Scope& scope);

}  // namespace tidegate::base
