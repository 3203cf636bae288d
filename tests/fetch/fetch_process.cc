#include "fetch/fetch_process.h"

#include <absl/time/clock.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>

#include "base/strings.h"

namespace tidegate::serving {
namespace {

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

FetchProcess::FetchProcess(std::vector<std::string> arguments, std::map<std::string, std::string> environment,
                           std::string scratch_directory) {
  static int count = 0;
  output_path_ = base::cat(scratch_directory, "/output-", ++count);
  termination_path_ = base::cat(scratch_directory, "/termination-", count);
  arguments.insert(arguments.begin(), TIDEGATE_FETCH_PROGRAM);
  arguments.push_back("--termination-log=" + termination_path_);
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  std::vector<char*> argv, envp;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  for (std::string& variable : variables) envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, output_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 2, 1);
  if (posix_spawn(&pid_, TIDEGATE_FETCH_PROGRAM, &actions, nullptr, argv.data(), envp.data()) != 0) pid_ = 0;
  posix_spawn_file_actions_destroy(&actions);
}

FetchProcess::~FetchProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void FetchProcess::signal(int number) { ::kill(pid_, number); }

int FetchProcess::wait() {
  if (pid_ <= 0) return 127;
  const absl::Time give_up = absl::Now() + absl::Minutes(1);
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (absl::Now() > give_up) return 124;
    absl::SleepFor(absl::Milliseconds(5));
  }
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string FetchProcess::words() const { return read_all(output_path_); }
nlohmann::json FetchProcess::termination() const {
  return nlohmann::json::parse(read_all(termination_path_), nullptr, false);
}

}  // namespace tidegate::serving
