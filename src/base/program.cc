#include "base/program.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/strings.h"

extern char** environ;

namespace tidegate::base {
namespace {

constexpr off_t kMaxOutput = 1 << 20;

// Memory that a child writes into like a file: nobody has to read while it runs.
class Buffer {
 public:
  Buffer() : descriptor_(::memfd_create("output", MFD_CLOEXEC)) {}
  Buffer(const Buffer&) = delete;
  ~Buffer() { ::close(descriptor_); }
  int descriptor() const { return descriptor_; }
  off_t size() const {
    struct stat facts{};
    return ::fstat(descriptor_, &facts) == 0 ? facts.st_size : 0;
  }
  std::string text() const {
    std::string text(static_cast<size_t>(std::min(size(), kMaxOutput)), '\0');
    const ssize_t got = ::pread(descriptor_, text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return text;
  }

 private:
  int descriptor_;
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!added.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(cat(name, "=", value));
  return all;
}

absl::StatusOr<pid_t> spawn(const ProgramCall& call, const Buffer& output, const Buffer& errors) {
  std::vector<std::string> arguments{call.command};
  arguments.insert(arguments.end(), call.arguments.begin(), call.arguments.end());
  std::vector<std::string> environment = merged_environment(call.environment);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, errors.descriptor(), STDERR_FILENO);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, call.command.c_str(), &files, nullptr, pointers(arguments).data(),
                                    pointers(environment).data());
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) return absl::ErrnoToStatus(failed, absl_view(cat("cannot start ", call.command)));
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Task<absl::StatusOr<ProgramResult>> run_program(ProgramCall call, Clock& clock, Scope& scope) {
  if (scope.cancelled()) co_return absl::CancelledError("scope ended");
  Buffer output;
  Buffer errors;
  const absl::StatusOr<pid_t> pid = spawn(call, output, errors);
  if (!pid.ok()) co_return pid.status();
  auto executor = co_await boost::asio::this_coro::executor;
  // Readable once the process has ended.
  const auto descriptor = static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0));
  if (descriptor < 0) {
    absl::Status failed = absl::ErrnoToStatus(errno, "pidfd_open");
    ::kill(*pid, SIGKILL);
    wait_for(*pid);
    co_return failed;
  }
  boost::asio::posix::stream_descriptor ended(executor, descriptor);
  absl::Status killed;
  const auto kill = [&killed, child = *pid](absl::Status why) {
    if (killed.ok()) killed = std::move(why);
    ::kill(child, SIGKILL);
  };
  auto limit = clock.after(call.timeout, [&] {
    kill(absl::DeadlineExceededError(cat(call.command, " did not end within ", absl::FormatDuration(call.timeout))));
  });
  auto registration = scope.on_cancel([&] { kill(absl::CancelledError("scope ended")); });
  co_await ended.async_wait(boost::asio::posix::stream_descriptor::wait_read, boost::asio::use_awaitable);
  registration.release();
  limit.reset();
  ProgramResult result{wait_for(*pid), output.text(), errors.text()};
  if (!killed.ok()) co_return killed;
  if (output.size() > kMaxOutput) {
    co_return absl::ResourceExhaustedError(cat(call.command, " wrote more than ", kMaxOutput, " bytes"));
  }
  co_return result;
}

}  // namespace tidegate::base
