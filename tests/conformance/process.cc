#include "conformance/process.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/strings.h"

namespace tidegate::conformance {
namespace {

[[noreturn]] void become(const std::vector<char*>& arguments, int log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

absl::Status Process::start(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  if (::access(arguments[0].c_str(), X_OK) != 0) {
    return absl::NotFoundError(base::cat(arguments[0], " is not there: run tools/setup first"));
  }
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int output = ::open(log.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);
  if (output < 0) return absl::ErrnoToStatus(errno, base::absl_view(log.string()));
  pid_ = ::fork();
  if (pid_ == 0) become(argv, output);
  ::close(output);
  return pid_ > 0 ? absl::OkStatus() : absl::ErrnoToStatus(errno, "fork");
}

void Process::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Process::pause() { ::kill(pid_, SIGSTOP); }
void Process::resume() { ::kill(pid_, SIGCONT); }

bool Process::running() {
  if (pid_ <= 0) return false;
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

}  // namespace tidegate::conformance
