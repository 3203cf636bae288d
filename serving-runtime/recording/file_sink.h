#pragma once
// Records in local files, a line each: `path` grows to a size, then becomes `path.1`, which becomes `path.2`, and so
// on; the oldest goes. So all files together are bounded. A line is always whole: what a full disk has cut is taken
// back. A file that somebody else moves or removes is begun anew. Devices and pipes (/dev/stdout) are written and never
// renamed.
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "serving-runtime/recording/record_sink.h"

namespace tidegate::serving {

struct FileSinkOptions {
  std::string path;
  uint64_t max_file_bytes = 64 << 20;  // more only when a single line is longer
  uint32_t max_files = 8;              // >= 1, the one that is written included
};

// Goes on where the file ends that may be there. NOT_FOUND, PERMISSION_DENIED or UNAVAILABLE, with the path, when it
// cannot be written.
absl::StatusOr<std::unique_ptr<RecordSink>> open_file_sink(FileSinkOptions options);

}  // namespace tidegate::serving
