#include "serving-runtime/recording/file_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "serving-runtime/recording/record_json.h"

namespace tidegate::serving {
namespace {

namespace fs = std::filesystem;

// Of the running errno.
absl::Status failed(std::string_view what, const std::string& path) {
  const int error = errno;
  return absl::ErrnoToStatus(error, base::cat(what, " ", path));
}

// "/dev/stdout" and its like: somebody else's file, whatever it is.
bool is_descriptor(const std::string& path) { return path.starts_with("/dev/") || path.starts_with("/proc/"); }

// Where a link leads, so that it stays when the file is put aside.
std::string resolved(const std::string& path) {
  std::error_code error;
  const fs::path real = is_descriptor(path) ? fs::path() : fs::canonical(path, error);
  return error || real.empty() ? path : real.string();
}

class FileSink : public RecordSink {
 public:
  explicit FileSink(FileSinkOptions options) : options_(std::move(options)) { options_.path = resolved(options_.path); }
  ~FileSink() override { close(); }

  absl::Status open() {
    // A pipe that nobody reads is an error, and does not hold up the start.
    file_ = ::open(options_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
    if (file_ < 0) return failed("cannot open", options_.path);
    struct stat status{};
    if (::fstat(file_, &status) != 0) return failed("cannot read the size of", options_.path);
    if (::fcntl(file_, F_SETFL, O_APPEND) != 0) return failed("cannot open", options_.path);
    regular_ = S_ISREG(status.st_mode) && !is_descriptor(options_.path);
    size_ = static_cast<uint64_t>(status.st_size);
    return absl::OkStatus();
  }

  absl::Status write(RecordBatch records) override {
    std::string text;
    for (const auto& record : records) {
      for (const std::string& line : record_lines(*record, NonFinite::kBare)) {
        const uint64_t bytes = line.size() + 1;
        if (regular_ && size_ + text.size() + bytes > options_.max_file_bytes) {
          TG_RETURN_IF_ERROR(append(std::exchange(text, {})));
          if (size_ > 0) TG_RETURN_IF_ERROR(rotate());
        }
        text.append(line) += '\n';
      }
    }
    return append(text);
  }

  void hurry() override {}  // a disk keeps nobody waiting for long

 private:
  absl::Status append(std::string_view text) {
    if (was_taken_away()) close();
    if (file_ < 0) TG_RETURN_IF_ERROR(open());
    for (std::string_view rest = text; !rest.empty();) {
      const ssize_t written = ::write(file_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        absl::Status why = failed("cannot write", options_.path);
        // Should this fail too, the next line ends up behind a half one.
        if (::ftruncate(file_, static_cast<off_t>(size_)) != 0) close();
        return why;
      }
      rest.remove_prefix(static_cast<size_t>(written));
    }
    size_ += text.size();
    return absl::OkStatus();
  }

  // Moved or removed by somebody else, as logrotate does.
  bool was_taken_away() const {
    struct stat ours{}, there{};
    if (file_ < 0 || !regular_ || ::fstat(file_, &ours) != 0) return false;
    return ::stat(options_.path.c_str(), &there) != 0 || ours.st_ino != there.st_ino || ours.st_dev != there.st_dev;
  }

  std::string older(uint32_t age) const { return base::cat(options_.path, ".", age); }

  absl::Status rotate() {
    close();
    std::error_code error;
    if (options_.max_files == 1) fs::remove(options_.path, error);
    for (uint32_t age = options_.max_files - 1; age > 0 && !error; --age) {
      const std::string from = age == 1 ? options_.path : older(age - 1);
      if (fs::exists(from, error)) fs::rename(from, older(age), error);
    }
    if (error) return absl::UnavailableError(base::cat("cannot rotate ", options_.path, ": ", error.message()));
    return open();
  }

  void close() {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
  }

  FileSinkOptions options_;
  int file_ = -1;
  bool regular_ = false;  // else a device, a pipe or a descriptor, which must keep its name
  uint64_t size_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RecordSink>> open_file_sink(FileSinkOptions options) {
  auto sink = std::make_unique<FileSink>(std::move(options));
  TG_RETURN_IF_ERROR(sink->open());
  return sink;
}

}  // namespace tidegate::serving
