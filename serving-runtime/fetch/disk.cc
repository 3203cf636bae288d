#include "serving-runtime/fetch/disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/status.h"
#include "base/strings.h"

namespace tidegate::serving {
namespace {

absl::Status error_of(int error, std::string_view what, const std::string& path) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return absl::Status(full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInternal,
                      base::cat("cannot ", what, " ", path, ": ", std::strerror(error)));
}

absl::Status error_of(const std::error_code& error, std::string_view what, const std::string& path) {
  return error ? error_of(error.value(), what, path) : absl::OkStatus();
}

}  // namespace

DiskFile::~DiskFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

DiskFile::DiskFile(DiskFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

DiskFile& DiskFile::operator=(DiskFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

absl::StatusOr<DiskFile> DiskFile::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (descriptor < 0) return error_of(errno, "open", path);
  return DiskFile(descriptor, path);
}

absl::Status DiskFile::write_at(uint64_t offset, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return error_of(errno, "write", path_);
    offset += static_cast<uint64_t>(written);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> DiskFile::read_at(uint64_t offset, char* buffer, size_t count) const {
  size_t total = 0;
  while (total < count) {
    const ssize_t got = ::pread(descriptor_, buffer + total, count - total, static_cast<off_t>(offset + total));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_of(errno, "read", path_);
    if (got == 0) break;
    total += static_cast<size_t>(got);
  }
  return total;
}

absl::Status DiskFile::append(std::string_view bytes) const {
  absl::StatusOr<uint64_t> end = size();
  if (!end.ok()) return end.status();
  return write_at(*end, bytes);
}

absl::Status DiskFile::resize(uint64_t bytes) const {
  return ::ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0 ? absl::OkStatus() : error_of(errno, "resize", path_);
}

absl::StatusOr<uint64_t> DiskFile::size() const {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) return error_of(errno, "look at", path_);
  return static_cast<uint64_t>(status.st_size);
}

absl::Status DiskFile::sync() const {
  return ::fdatasync(descriptor_) == 0 ? absl::OkStatus() : error_of(errno, "sync", path_);
}

absl::StatusOr<bool> DiskFile::try_lock() const {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK || errno == EINTR) return false;
  return error_of(errno, "lock", path_);
}

absl::Status DiskFile::lock() const {
  while (::flock(descriptor_, LOCK_EX) != 0) {
    if (errno != EINTR) return error_of(errno, "lock", path_);
  }
  return absl::OkStatus();
}

absl::Status make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error_of(error, "create", path);
}

absl::Status remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error_of(error, "remove", path);
}

absl::Status sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return error_of(errno, "open", path);
  const absl::Status status = ::fsync(descriptor) == 0 ? absl::OkStatus() : error_of(errno, "sync", path);
  ::close(descriptor);
  return status;
}

absl::Status publish_directory(const std::string& from, const std::string& to) {
  const std::string parent = std::filesystem::path(to).parent_path().string();
  if (::rename(from.c_str(), to.c_str()) == 0) return sync_directory(parent);
  if (errno != ENOTEMPTY && errno != EEXIST) return error_of(errno, "rename the finished download to", to);
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
    return error_of(errno, "replace", to);
  }
  TG_RETURN_IF_ERROR(sync_directory(parent));
  return remove_tree(from);  // what was there before
}

absl::Status write_file_atomically(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  {
    TG_ASSIGN_OR_RETURN(const DiskFile file, DiskFile::open(temporary));
    TG_RETURN_IF_ERROR(file.resize(0));
    TG_RETURN_IF_ERROR(file.write_at(0, text));
    TG_RETURN_IF_ERROR(file.sync());
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return error_of(errno, "rename", temporary);
  return sync_directory(std::filesystem::path(path).parent_path().string());
}

absl::StatusOr<uint64_t> free_bytes(const std::string& path) {
  struct statvfs status = {};
  if (::statvfs(path.c_str(), &status) != 0) return error_of(errno, "look at the file system of", path);
  return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace tidegate::serving
