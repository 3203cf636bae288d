#pragma once
// Where records go. Implemented by file_sink.h and http_sink.h, and by fakes in tests.
#include <absl/status/status.h>

#include <memory>
#include <span>

#include "serving-runtime/core/request_record.h"

namespace tidegate::serving {

using RecordBatch = std::span<const std::unique_ptr<RequestRecord>>;

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Writes them all, which may take its time: called on the log's own thread. After an error they are lost.
  virtual absl::Status write(RecordBatch records) = 0;
  // The process is about to end: whatever is being written, and comes still, is done soon or not at all. Any thread.
  virtual void hurry() = 0;
};

}  // namespace tidegate::serving
