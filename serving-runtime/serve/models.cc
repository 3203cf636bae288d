#include "serving-runtime/serve/models.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <thread>
#include <utility>

#include "base/status.h"
#include "serving-runtime/repository/batching_parameters.h"
#include "serving-runtime/repository/heap.h"
#include "serving-runtime/serve/config_file.h"

namespace tidegate::serving {
namespace {

absl::Status take_label(const std::string& text, ModelConfig& config) {
  size_t equals = text.find('=');
  int64_t version = 0;
  auto end = text.data() + text.size();
  auto begin = equals == std::string::npos ? end : text.data() + equals + 1;
  auto parsed = std::from_chars(begin, end, version);
  if (equals == 0 || begin == end || parsed.ec != std::errc() || parsed.ptr != end) {
    return absl::InvalidArgumentError(base::cat("--version-label=", text, " is not of the form label=version"));
  }
  const bool fresh = config.labels.emplace(text.substr(0, equals), version).second;
  if (!fresh) return absl::InvalidArgumentError(base::cat("--version-label=", text, ": that label is there twice"));
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
  std::vector<ModelConfig> only{std::move(config)};
  TG_RETURN_IF_ERROR(check_models(only));
  return only;
}

}  // namespace

absl::StatusOr<FirstModels> first_models(const ServeOptions& options) {
  FirstModels first;
  if (options.model_config_file.empty()) {
    TG_ASSIGN_OR_RETURN(first.models, single_model(options));
    return first;
  }
  TG_ASSIGN_OR_RETURN(first.config_text, config_text(options));
  TG_ASSIGN_OR_RETURN(first.models, models_of(options, first.config_text, When::kStart));
  return first;
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

absl::Duration load_retry_pause(const ServeOptions& options) {
  return absl::Microseconds(std::max<int64_t>(0, options.load_retry_microseconds));
}

RepositoryOptions repository_options(const ServeOptions& options, LoadOptions loading, ResidentModels* residents) {
  if (residents != nullptr) loading.memory_in_use = heap_in_use;
  loading.retries = {options.load_retries, load_retry_pause(options)};
  loading.warm_up_iterations = static_cast<uint32_t>(std::max(1, options.warm_up_iterations));
  loading.batching_per_model = options.batching_per_model;
  return {absl::Seconds(options.poll_seconds), std::move(loading), options.labels_for_unavailable, residents};
}

}  // namespace tidegate::serving
