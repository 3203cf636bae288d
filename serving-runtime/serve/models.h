#pragma once
// Which models `serve` was told to have: by its flags, as TensorFlow Serving's image is told, or by a config file.
#include <absl/status/statusor.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "serving-runtime/repository/model_repository.h"
#include "serving-runtime/repository/server_config.h"
#include "serving-runtime/serve/options.h"

namespace tidegate::serving {

ModelDefaults model_defaults(const ServeOptions& options);

// Those that the server has from its start. Errors name the flag, or the file and the place in it.
struct FirstModels {
  std::vector<ModelConfig> models;
  std::string config_text;  // of the config file that says so, if one does
};
absl::StatusOr<FirstModels> first_models(const ServeOptions& options);

// The batching parameters, if batching is on. Errors name the flag, or the file and the place in it.
absl::StatusOr<std::optional<BatchingOptions>> batching_options(const ServeOptions& options);

// Where TensorFlow Serving's metrics are to be; empty: nowhere. Errors name the file and the place in it.
absl::StatusOr<std::string> tfs_metrics_path(const ServeOptions& options);

// Between two tries to load a model.
absl::Duration load_retry_pause(const ServeOptions& options);

// All but what `loading` is to have of the process. `residents`: null when all models are loaded.
RepositoryOptions repository_options(const ServeOptions& options, LoadOptions loading, ResidentModels* residents);

// Reads the config file again, now and then, and hands on what has changed.
class ConfigFileWatch {
 public:
  // `options` must outlive it; `known` is the text that has been taken over.
  ConfigFileWatch(const ServeOptions& options, std::string known,
                  std::function<void(std::vector<ModelConfig>)> take_over);

  // A file that cannot be read, or that is no config, is logged once; the models stay as they are.
  void look();

 private:
  const ServeOptions& options_;
  std::string known_;
  absl::Status unreadable_;  // as told last
  const std::function<void(std::vector<ModelConfig>)> take_over_;
};

}  // namespace tidegate::serving
