#pragma once
// A file's bytes, mapped: only the pages that are looked at are read, so what a model of gigabytes serves is told at
// the cost of its description. Free of libraries, because backends use it too.
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tidegate::model {

class MappedFile {
 public:
  // Nothing when the file cannot be read; then errno says why.
  static std::optional<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  // A file that is cut while it is read ends the process (SIGBUS): version folders are not written to.
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile(void* data, size_t size) : data_(data), size_(size) {}
  void* data_;
  size_t size_;
};

}  // namespace tidegate::model
