#pragma once
// TensorFlow Serving's ModelServerConfig, as text in a file or as a message, to what the repository takes.
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "serving-runtime/core/batched_model.h"
#include "serving-runtime/repository/model_config.h"
#include "tensorflow_serving.pb.h"

namespace tidegate::serving {

// INVALID_ARGUMENT, with the model's name: what has no meaning here (custom_model_config, logging_config, model_type
// OTHER, an unknown model_platform). A model without model_platform is run by the backend that its files are for.
absl::StatusOr<std::vector<ModelConfig>> to_model_configs(const tensorflow::serving::ModelServerConfig& config,
                                                          bool warm_up);

// Errors name the file, and of what cannot be read the line and column.
absl::StatusOr<tensorflow::serving::ModelServerConfig> read_server_config(const std::string& path);

// Puts what a file of TensorFlow Serving's BatchingParameters says into `options`. Errors as above, and those of
// check(), with the file's name; also INVALID_ARGUMENT for pad_variable_length_inputs.
absl::Status read_batching_parameters(const std::string& path, BatchingOptions& options);

}  // namespace tidegate::serving
