#pragma once
// TensorFlow Serving's ModelServerConfig, as text in a file or as a message, to what the repository takes.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "serving-runtime/repository/model_config.h"
#include "tensorflow_serving.pb.h"

namespace tidegate::serving {

// What the server's flags say for all of its models.
struct ModelDefaults {
  bool warm_up = true;
  bool request_log = false;  // there is one, for which a model may choose its share
};

// INVALID_ARGUMENT, with the model's name: what has no meaning here (custom_model_config, a log collector, model_type
// OTHER, an unknown model_platform), a sampling rate that is no share or that no request log heeds. A model without
// model_platform is run by the backend that its files are for.
absl::StatusOr<std::vector<ModelConfig>> to_model_configs(const tensorflow::serving::ModelServerConfig& config,
                                                          const ModelDefaults& defaults);

// Of a file's text. Errors name the line and column, and the file as `path`.
absl::StatusOr<tensorflow::serving::ModelServerConfig> parse_server_config(std::string_view text,
                                                                           std::string_view path);

}  // namespace tidegate::serving
