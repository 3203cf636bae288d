#include "model/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace tidegate::model {

std::optional<MappedFile> MappedFile::open(const std::string& path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  struct stat info{};
  void* data = nullptr;
  bool read = ::fstat(descriptor, &info) == 0;
  auto size = static_cast<size_t>(info.st_size);
  if (read && size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    read = data != MAP_FAILED;
  }
  int error = errno;
  ::close(descriptor);
  errno = error;
  if (!read) return std::nullopt;
  return MappedFile(data, size);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

}  // namespace tidegate::model
