#include "model/model_format.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/status.h"

namespace tidegate::model {
namespace {

namespace fs = std::filesystem;

// A file's bytes, mapped: only the pages that are looked at are read.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> open(const std::string& path) {
    int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return absl::ErrnoToStatus(errno, base::absl_view(path));
    struct stat info{};
    if (::fstat(descriptor, &info) != 0) {
      absl::Status failed = absl::ErrnoToStatus(errno, base::absl_view(path));
      ::close(descriptor);
      return failed;
    }
    auto size = static_cast<size_t>(info.st_size);
    void* data = size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    int mapping_error = errno;
    ::close(descriptor);
    if (data == MAP_FAILED) return absl::ErrnoToStatus(mapping_error, base::absl_view(path));
    return MappedFile(data, size);
  }
  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile() {
    if (data_) ::munmap(data_, size_);
  }
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile(void* data, size_t size) : data_(data), size_(size) {}
  void* data_;
  size_t size_;
};

std::vector<std::string> list(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string join(const std::vector<std::string>& names, size_t limit) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < limit; ++i) base::append(out, i ? ", " : ""), base::append(out, names[i]);
  if (names.size() > limit) base::append(out, ", …");
  return out;
}

}  // namespace

std::string_view name_of(Format format) {
  switch (format) {
    case Format::kSavedModel:
      return "SavedModel";
    case Format::kTflite:
      return "TFLite";
    case Format::kOnnx:
      return "ONNX";
  }
  return "unknown";
}

absl::StatusOr<Format> detect_format(const std::string& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return absl::NotFoundError(base::cat(folder, " is not a folder"));
  std::vector<std::string> names = list(folder);
  std::vector<Format> found;
  for (const std::string& name : names) {
    if (name == "saved_model.pb") found.push_back(Format::kSavedModel);
    if (name.ends_with(".tflite")) found.push_back(Format::kTflite);
    if (name.ends_with(".onnx")) found.push_back(Format::kOnnx);
  }
  if (found.size() == 1) return found.front();
  std::string_view problem = found.empty() ? " holds no model" : " holds more than one model";
  return absl::InvalidArgumentError(base::cat(
      folder, problem,
      "; expected one of saved_model.pb, *.tflite, *.onnx, found: ", names.empty() ? "nothing" : join(names, 10)));
}

absl::StatusOr<std::vector<MetaGraph>> read_saved_model(const std::string& folder) {
  std::string path = base::cat(folder, "/saved_model.pb");
  TG_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  auto graphs = parse_saved_model(file.bytes());
  if (graphs && !graphs->empty()) return *std::move(graphs);
  return absl::DataLossError(
      base::cat(path, " (", file.bytes().size(), " bytes) is not a SavedModel; it may be cut short or corrupt"));
}

}  // namespace tidegate::model
