#pragma once
// A child process of a test: started with its output in a file, killed with the test.
#include <absl/status/status.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tidegate::conformance {

class Process {
 public:
  Process() = default;
  Process(const Process&) = delete;
  ~Process() { kill(); }

  // `arguments[0]` is the program. Its output is appended to `log`. The child dies with us, whatever happens to us.
  absl::Status start(const std::vector<std::string>& arguments, const std::filesystem::path& log);
  // SIGKILL, and waits for it. Nothing when it does not run.
  void kill();
  bool running();
  // SIGSTOP and SIGCONT: it lives, its kernel answers, nobody reads.
  void pause();
  void resume();

 private:
  int pid_ = -1;
};

}  // namespace tidegate::conformance
