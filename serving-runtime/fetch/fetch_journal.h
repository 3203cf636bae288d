#pragma once
// What of a download is already on disk, so that a restarted fetch goes on where the last one stood.
//
// One JSON object a line, appended only after the bytes it speaks of have been synced; a torn last line is ignored.
//   {"source_digest": D}                                   first line: whose parts these are
//   {"path": P, "offset": N, "length": N, "md5": bool}     a part is complete ("md5": the ETag is an MD5)
//   {"path": P, "sha256": S}                               the whole file is complete and verified
//   {"path": P, "drop": true}                              nothing of the file is complete (it was corrupt)
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "serving-runtime/fetch/disk.h"

namespace tidegate::serving {

class FetchJournal {
 public:
  struct File {
    std::map<uint64_t, uint64_t> parts;  // offset -> length
    std::string sha256;                  // of a complete file, else empty
    bool etag_is_md5 = false;
  };

  // Reads the journal at `path`, or begins a new one when there is none or it belongs to another digest.
  static absl::StatusOr<FetchJournal> open(const std::string& path, std::string_view source_digest);

  // What was complete when the journal was opened; by the file's path.
  const std::map<std::string, File>& files() const { return files_; }

  absl::Status add_part(std::string_view path, uint64_t offset, uint64_t length, bool etag_is_md5);
  absl::Status add_file(std::string_view path, std::string_view sha256);
  absl::Status drop_file(std::string_view path);

 private:
  bool replay(std::string_view text, std::string_view source_digest);

  DiskFile file_;
  std::map<std::string, File> files_;
};

}  // namespace tidegate::serving
