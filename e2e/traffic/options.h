// The command line of tidegate-traffic.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace tidegate::traffic_generator {

struct Target {
  std::string host;  // also the Host header
  std::string port;  // "80" unless the URL says otherwise
  std::string path;  // "/…"
};

struct Options {
  std::string name;  // who sends: begins every x-request-id, so that a request is found in the proxies' logs
  Target target;
  double rate = 200;                               // requests a second, evenly spaced; > 0
  int connections = 64;                            // at most so many at once; > 0
  bool new_connections = false;                    // a connection of its own for each request
  absl::Duration timeout = absl::Seconds(5);       // from due to answered
  absl::Duration duration = absl::ZeroDuration();  // zero: until SIGTERM
  bool start_when_served = false;                  // knock until the first 2xx, then begin to count
  std::vector<std::string> bodies;                 // sent in turn; none: GET
  std::string output = "-";                        // where the lines go
  uint16_t stats_port = 0;                         // zero: no statistics port
};

// Splits http://host[:port]/path. InvalidArgument for anything else.
absl::StatusOr<Target> ParseUrl(const std::string& url);

// InvalidArgument with a sentence for a wrong flag or an unreadable file; Cancelled with the help text for --help.
absl::StatusOr<Options> ParseOptions(int argc, const char* const* argv);

}  // namespace tidegate::traffic_generator
