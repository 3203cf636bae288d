#pragma once
// Runs the fetch program as Kubernetes does and keeps what it said.
#include <sys/types.h>

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace tidegate::serving {

class FetchProcess {
 public:
  // Starts it; `arguments` without the program, `environment` is all that it gets.
  FetchProcess(std::vector<std::string> arguments, std::map<std::string, std::string> environment,
               std::string scratch_directory);
  ~FetchProcess();
  FetchProcess(const FetchProcess&) = delete;
  FetchProcess& operator=(const FetchProcess&) = delete;

  void signal(int number);
  // Waits until it ends, for a minute at most. The exit status, or minus the signal that ended it.
  int wait();
  // After wait(): its standard error, and its termination message (null when there is none).
  std::string words() const;
  nlohmann::json termination() const;

 private:
  std::string output_path_;
  std::string termination_path_;
  pid_t pid_ = 0;
};

}  // namespace tidegate::serving
