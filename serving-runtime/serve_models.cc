#include "serving-runtime/serve_models.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "serving-runtime/repository/heap_in_use.h"

namespace tidegate::serving {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::Status take_label(const std::string& text, ModelConfig& config) {
  size_t equals = text.find('=');
  int64_t version = 0;
  auto end = text.data() + text.size();
  auto begin = equals == std::string::npos ? end : text.data() + equals + 1;
  auto parsed = std::from_chars(begin, end, version);
  if (equals == 0 || begin == end || parsed.ec != std::errc() || parsed.ptr != end) {
    return absl::InvalidArgumentError(base::cat("--version-label=", text, " is not of the form label=version"));
  }
  config.labels[text.substr(0, equals)] = version;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ModelConfig>> single_model(const ServeOptions& options) {
  ModelConfig config;
  config.name = options.model_name;
  config.base_path = options.model_base_path;
  config.versions.latest = options.latest_versions;
  config.warm_up = options.warm_up;
  // As the image tensorflow/serving is started.
  const char* models = std::getenv("MODEL_BASE_PATH");
  if (config.base_path.empty() && models != nullptr) config.base_path = base::cat(models, "/", config.name);
  if (config.base_path.empty()) {
    return absl::InvalidArgumentError("No model: give --model-base-path, or --model-config-file for several");
  }
  for (const std::string& text : options.version_labels) TG_RETURN_IF_ERROR(take_label(text, config));
  return std::vector<ModelConfig>{std::move(config)};
}

absl::StatusOr<std::vector<ModelConfig>> models_of(const ServeOptions& options) {
  TG_ASSIGN_OR_RETURN(const auto file, read_server_config(options.model_config_file));
  auto models = to_model_configs(file, model_defaults(options));
  if (absl::Status usable = models.ok() ? check_models(*models) : models.status(); !usable.ok()) {
    return base::annotate(usable, base::cat("Model config file ", options.model_config_file));
  }
  return models;
}

}  // namespace

ModelDefaults model_defaults(const ServeOptions& options) {
  return {options.warm_up, !options.request_log.target.empty()};
}

absl::StatusOr<std::vector<ModelConfig>> first_models(const ServeOptions& options) {
  return options.model_config_file.empty() ? single_model(options) : models_of(options);
}

absl::StatusOr<std::optional<BatchingOptions>> batching_options(const ServeOptions& options) {
  if (!options.batching) {
    if (options.batching_parameters_file.empty()) return std::nullopt;
    return absl::InvalidArgumentError("--batching-parameters-file is set without --enable-batching");
  }
  BatchingOptions batching;
  batching.num_batch_threads = std::max(1u, std::thread::hardware_concurrency());
  if (options.batching_parameters_file.empty()) return batching;
  TG_RETURN_IF_ERROR(read_batching_parameters(options.batching_parameters_file, batching));
  return batching;
}

absl::StatusOr<std::string> tfs_metrics_path(const ServeOptions& options) {
  if (options.monitoring_config_file.empty()) return "";
  return read_monitoring_path(options.monitoring_config_file);
}

RepositoryOptions repository_options(const ServeOptions& options, LoadOptions loading, ResidentModels* residents) {
  if (residents != nullptr) loading.memory_in_use = heap_in_use;
  loading.retries = {options.load_retries, absl::Microseconds(options.load_retry_microseconds)};
  return {absl::Seconds(options.poll_seconds), std::move(loading), options.labels_for_unavailable, residents};
}

ConfigFileWatch::ConfigFileWatch(const ServeOptions& options, std::function<void(std::vector<ModelConfig>)> take_over)
    : options_(options), take_over_(std::move(take_over)), known_(text_of(options.model_config_file)) {}

void ConfigFileWatch::look() {
  std::string text = text_of(options_.model_config_file);
  if (text == std::exchange(known_, text)) return;
  auto models = models_of(options_);
  if (models.ok()) return take_over_(*std::move(models));
  base::log_error("the changed model config file is not taken over", {{"error", models.status()}});
}

}  // namespace tidegate::serving
