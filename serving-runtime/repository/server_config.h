#pragma once
// TensorFlow Serving's ModelServerConfig, as text in a file or as a message, to what the repository takes.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "serving-runtime/core/batched_model.h"
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

// Where the metrics are that a file of TensorFlow Serving's MonitoringConfig asks for: prometheus_config.path, by
// default /monitoring/prometheus/metrics. Empty when it does not enable them. Errors as above; INVALID_ARGUMENT for
// what is no path.
absl::StatusOr<std::string> read_monitoring_path(const std::string& path);

// Puts what a file of TensorFlow Serving's BatchingParameters says into `options`. Errors as above, and those of
// check(), with the file's name.
absl::Status read_batching_parameters(const std::string& path, BatchingOptions& options);
absl::Status parse_batching_parameters(std::string_view text, std::string_view path, BatchingOptions& options);

}  // namespace tidegate::serving
