#pragma once
// TensorFlow Serving's MonitoringConfig, as text in a file.
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace tidegate::serving {

// Where the metrics are that it asks for: prometheus_config.path, by default /monitoring/prometheus/metrics. Empty when
// it does not enable them. Errors name the line and column, and the file as `path`; INVALID_ARGUMENT for what is no
// path, or one that the server needs itself.
absl::StatusOr<std::string> read_monitoring_path(const std::string& path);
absl::StatusOr<std::string> parse_monitoring_path(std::string_view text, std::string_view path);

}  // namespace tidegate::serving
