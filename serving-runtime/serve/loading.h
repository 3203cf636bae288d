#pragma once
// Loading beside serving. The threads that load give way to those that answer requests: they are nicer, and keep to
// half of the cores. A niceness alone does not keep requests from waiting: who has a core keeps it for a while, within
// a system call for as long as that takes, also when another core is idle.
//
// A thread inherits both from the one that starts it, and libraries start threads that stay, to run requests on. So
// whatever starts those is done on a thread that answers requests:
//
//   thread that loads, nicer ── for_folder() ─► backend open? ── no ─► opened on a thread that answers requests
//                            ── load() ───────► starts threads? ─ yes ► on such a thread, too; else here
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "serving-runtime/backend_set.h"
#include "serving-runtime/repository/model_repository.h"

namespace tidegate::serving {

class ServingBackends {
 public:
  // Runs work on a thread that answers requests, soon.
  using Post = std::function<void(std::function<void()>)>;

  ServingBackends(const BackendFlags& flags, Post post);
  ~ServingBackends();

  // As BackendSet's. On threads that load.
  absl::StatusOr<const Backend*> for_folder(const std::string& folder);
  // As BackendSet's.
  absl::Status open_ahead() { return backends_.open_ahead(); }

 private:
  class LoadsElsewhere;

  const BackendSet::Run run_there_;  // and waits for it
  const bool litert_starts_threads_;
  BackendSet backends_;
  std::mutex mutex_;
  std::unique_ptr<const LoadsElsewhere> litert_;
};

// The threads that load models, until it is destroyed; what they are at is finished.
class LoadThreads {
 public:
  LoadThreads(ModelRepository& repository, uint32_t count);
  ~LoadThreads();

 private:
  ModelRepository& repository_;
  std::vector<std::thread> threads_;
};

}  // namespace tidegate::serving
