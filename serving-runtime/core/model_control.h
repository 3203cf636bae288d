#pragma once
// Loading and unloading models on request (the Open Inference Protocol's repository API). The repository implements it;
// front ends that are given none refuse such requests.
#include <absl/status/status.h>

#include <functional>
#include <string>

namespace tidegate::serving {

class ModelControl {
 public:
  using Done = std::function<void(absl::Status)>;

  virtual ~ModelControl() = default;
  // Serves the model of that name, or looks again for its versions when it is served already. Neither call waits: a
  // model takes seconds to load and the caller's thread answers others meanwhile. `done` runs exactly once, on any
  // thread: OK when a version serves, NOT_FOUND for a name that is not configured, else why it could not be loaded.
  virtual void load(const std::string& name, Done done) = 0;
  // Serves it no longer; requests in flight are finished. `done` as above, OK when every version has gone.
  virtual void unload(const std::string& name, Done done) = 0;
};

}  // namespace tidegate::serving
