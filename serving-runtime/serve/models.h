#pragma once
// Which models `serve` was told to have: by its flags, as TensorFlow Serving's image is told, or by a config file.
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "serving-runtime/repository/model_repository.h"
#include "serving-runtime/serve/options.h"

namespace tidegate::serving {

// Those that the server has from its start. Errors name the flag, or the file and the place in it.
struct FirstModels {
  std::vector<ModelConfig> models;
  std::string config_text;  // of the config file that says so, if one does
};
absl::StatusOr<FirstModels> first_models(const ServeOptions& options);

// The batching parameters, if batching is on. Errors name the flag, or the file and the place in it.
absl::StatusOr<std::optional<BatchingOptions>> batching_options(const ServeOptions& options);

// Between two tries to load a model.
absl::Duration load_retry_pause(const ServeOptions& options);

// All but what `loading` is to have of the process. `residents`: null when all models are loaded.
RepositoryOptions repository_options(const ServeOptions& options, LoadOptions loading, ResidentModels* residents);

}  // namespace tidegate::serving
