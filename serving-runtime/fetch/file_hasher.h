#pragma once
// The SHA-256 and MD5 of a file while it is being downloaded: follows the complete front of the file in the background,
// so that the end of the download is nearly the end of the hashing.
#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "base/loop.h"
#include "serving-runtime/fetch/background.h"
#include "serving-runtime/fetch/disk.h"

namespace tidegate::serving {

struct FileHashes {
  std::string sha256;  // hexadecimal
  std::string md5;     // hexadecimal; empty unless it was asked for
};

// Loop's thread only. `file` must stay open until finish() has returned or the hasher has never been advanced.
class FileHasher : public std::enable_shared_from_this<FileHasher> {
 public:
  // `with_md5`: it costs nearly as much again, so only where something is compared with it.
  FileHasher(base::Loop& loop, Background& background, std::shared_ptr<const DiskFile> file, bool with_md5);
  ~FileHasher();

  // The file is complete up to here, in bytes.
  void advance(uint64_t frontier);
  // The hashes of the first `size` bytes, which are complete, after syncing the file to disk. Once, after which the
  // hasher is used up. DATA_LOSS when the file is shorter than that.
  static base::Task<absl::StatusOr<FileHashes>> finish(std::shared_ptr<FileHasher> self, uint64_t size);

 private:
  struct Digests;
  void start();
  void step_done(absl::Status status, uint64_t end);

  base::Loop& loop_;
  Background& background_;
  std::shared_ptr<const DiskFile> file_;
  std::shared_ptr<Digests> digests_;  // the background's while busy_
  uint64_t frontier_ = 0;
  uint64_t hashed_ = 0;
  bool busy_ = false;
  absl::Status status_;
  base::Promise<absl::Status> idle_;
  bool waiting_ = false;
};

}  // namespace tidegate::serving
