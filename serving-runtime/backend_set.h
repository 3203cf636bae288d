#pragma once
// The backends of a process: found beside the program, opened on the first model that needs each, kept until the end.
#include <absl/status/statusor.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "model/model_format.h"
#include "serving-runtime/backend_flags.h"
#include "serving-runtime/backends/backend_loader.h"

namespace tidegate::serving {

class BackendSet {
 public:
  // Runs what it is given, on whatever thread, and returns when that has ended.
  using Run = std::function<void(const std::function<void()>& work)>;

  // `open_on`: opens each backend.
  explicit BackendSet(const BackendFlags& flags, Run open_on = [](const std::function<void()>& work) { work(); });

  // The backend for the files in a version's folder. Errors of model::detect_format() and open_backend(). Any thread.
  absl::StatusOr<const Backend*> for_folder(const std::string& folder);

  // Opens at once what the flags make worth nothing if it failed later: TensorFlow when it is to load op libraries.
  // Errors of open_backend().
  absl::Status open_ahead();

 private:
  absl::StatusOr<const Backend*> open(model::Format format);

  const BackendFlags flags_;
  const Run open_on_;
  std::vector<std::string> folders_;
  std::mutex mutex_;
  std::map<model::Format, std::unique_ptr<Backend>> open_;
};

}  // namespace tidegate::serving
