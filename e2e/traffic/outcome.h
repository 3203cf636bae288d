// What became of one request. Filled by Connection and Users, counted by Tally.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace tidegate::traffic_generator {

// How far a request had come. A request that failed at kConnect or kWait never left this process; one that failed at
// kExchange was in flight on the connection when that broke.
enum class Stage {
  kWait,      // for a free connection
  kConnect,   // for the name and the TCP connection
  kExchange,  // sending the request, awaiting the answer
  kAnswered,
};

struct Outcome {
  std::string request_id;   // sent as x-request-id: who sends, since when, the request's number
  absl::Time due;           // wall clock, when the schedule said to send it
  absl::Duration duration;  // from `due` to the last byte of the answer, or to the failure
  Stage stage = Stage::kWait;
  bool new_connection = false;  // this request opened its connection
  int code = 0;                 // HTTP status; 0: there was no whole answer
  std::string error;            // why there was none; empty when there was
  std::string revision;         // x-tidegate-revision
  std::string version;          // x-tidegate-model-version
  std::string error_source;     // x-tidegate-error
  std::string excerpt;          // the first bytes of an answer that is not 2xx

  bool ok() const { return code >= 200 && code < 300; }
};

}  // namespace tidegate::traffic_generator
