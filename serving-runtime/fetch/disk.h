#pragma once
// The few things that fetch does to a disk, as Status: RESOURCE_EXHAUSTED when there is no room, INTERNAL otherwise;
// the message names the path and what failed.
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::serving {

// An open file; closed with the object.
class DiskFile {
 public:
  DiskFile() = default;
  ~DiskFile();
  DiskFile(DiskFile&& other) noexcept;
  DiskFile& operator=(DiskFile&& other) noexcept;

  // For reading and writing; created (0644) when it is not there, never followed when it is a link.
  static absl::StatusOr<DiskFile> open(const std::string& path);

  const std::string& path() const { return path_; }
  // Any thread.
  absl::Status write_at(uint64_t offset, std::string_view bytes) const;
  // Fewer bytes than `count` only at the file's end.
  absl::StatusOr<size_t> read_at(uint64_t offset, char* buffer, size_t count) const;
  absl::Status append(std::string_view bytes) const;
  absl::Status resize(uint64_t bytes) const;
  absl::StatusOr<uint64_t> size() const;
  absl::Status sync() const;
  // True when this process now holds the file's exclusive lock (until the file is closed).
  absl::StatusOr<bool> try_lock() const;
  // Waits until it does.
  absl::Status lock() const;

 private:
  DiskFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_ = -1;
  std::string path_;
};

absl::Status make_directories(const std::string& path);
absl::Status remove_tree(const std::string& path);
// Makes a directory's entries durable.
absl::Status sync_directory(const std::string& path);
// Gives the directory `from` the name `to`, atomically; a directory that was there is removed afterwards.
absl::Status publish_directory(const std::string& from, const std::string& to);
// Writes a small file so that it is there whole or not at all.
absl::Status write_file_atomically(const std::string& path, std::string_view text);
// Bytes that may still be written on the file system of `path`.
absl::StatusOr<uint64_t> free_bytes(const std::string& path);

}  // namespace tidegate::serving
