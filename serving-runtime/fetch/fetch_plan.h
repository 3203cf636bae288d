#pragma once
// What to download where, as data; and what came of it.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/model_source.h"

namespace tidegate::serving {

struct FetchPlan {
  std::string prefix;         // the version's folder in the bucket
  std::string destination;    // the version's folder on disk; absolute, its parent is created
  std::string source_digest;  // 64 hexadecimal digits; empty: whatever the store has
  int connections = 8;        // 1..64
  uint64_t part_bytes = 16ull << 20;
  // No byte for this long: a new connection.
  absl::Duration stall_timeout = absl::Seconds(30);
  // No byte on any connection for this long: the store counts as unreachable.
  absl::Duration give_up_after = absl::Seconds(60);
  absl::Duration initial_backoff = absl::Milliseconds(200);
  absl::Duration max_backoff = absl::Seconds(10);
};

struct FetchReport {
  std::string content_digest;  // 64 hexadecimal digits
  uint64_t bytes = 0;
  uint64_t files = 0;
  uint64_t resumed_bytes = 0;  // of them already on disk from an earlier attempt
  bool was_there = false;      // the finished folder was found and nothing was downloaded
};

// The word for the pod's termination message: AccessDenied, StoreUnreachable, VersionNotFound, DigestChanged,
// CorruptObject, DiskFull or Internal.
std::string_view fetch_failure_reason(const absl::Status& status);

// A piece of a file that one request asks for.
struct FilePart {
  uint64_t offset = 0;
  uint64_t length = 0;  // > 0
};

// The file cut into parts of `part_bytes`, in order; none for an empty file.
std::vector<FilePart> cut_into_parts(uint64_t file_bytes, uint64_t part_bytes);

// OK unless two files cannot both exist on a disk ("a" and "a/b"). INVALID_ARGUMENT names them.
absl::Status check_paths_are_compatible(const storage::Manifest& manifest);

}  // namespace tidegate::serving
