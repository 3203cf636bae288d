#include "serving-runtime/repository/server_config.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/files.h"
#include "base/status.h"
#include "serving-runtime/api/paths.h"
#include "serving-runtime/api/text_format.h"

namespace tidegate::serving {
namespace {

namespace tfs_pb = tensorflow::serving;

// The words for a platform, and the backend that each means.
constexpr std::pair<std::string_view, std::string_view> kPlatforms[] = {
    {"tensorflow", "tensorflow"}, {"tflite", "litert"}, {"onnx", "onnx"}};

absl::StatusOr<std::string> platform_of(const tfs_pb::ModelConfig& model) {
  const std::string& platform = model.model_platform();
  if (model.model_type() != tfs_pb::MODEL_TYPE_UNSPECIFIED) {
    if (!platform.empty()) return absl::InvalidArgumentError("model_type and model_platform are both set");
    if (model.model_type() == tfs_pb::TENSORFLOW) return "tensorflow";
    return absl::InvalidArgumentError("model_type OTHER is not supported; leave it out");
  }
  if (platform.empty()) return "";
  const auto known = std::find_if(std::begin(kPlatforms), std::end(kPlatforms),
                                  [&platform](const auto& entry) { return entry.first == platform; });
  if (known != std::end(kPlatforms)) return std::string(known->second);
  return absl::InvalidArgumentError(base::cat("model_platform \"", platform, "\" is none of tensorflow, tflite, onnx"));
}

VersionPolicy policy_of(const tfs_pb::VersionPolicy& from) {
  VersionPolicy policy;
  switch (from.policy_choice_case()) {
    case tfs_pb::VersionPolicy::kAll:
      policy.kind = VersionPolicy::Kind::kAll;
      break;
    case tfs_pb::VersionPolicy::kSpecific:
      policy.kind = VersionPolicy::Kind::kSpecific;
      policy.specific = {from.specific().versions().begin(), from.specific().versions().end()};
      break;
    case tfs_pb::VersionPolicy::kLatest:
      policy.latest = std::max(1u, from.latest().num_versions());  // not given: one
      break;
    case tfs_pb::VersionPolicy::POLICY_CHOICE_NOT_SET:
      break;
  }
  return policy;
}

// Where records go is one place for all models, which a flag names.
absl::StatusOr<std::optional<double>> record_rate_of(const tfs_pb::ModelConfig& from, bool request_log) {
  if (!from.has_logging_config()) return std::nullopt;
  const tfs_pb::LoggingConfig& logging = from.logging_config();
  if (logging.has_log_collector_config()) {
    return absl::InvalidArgumentError(
        "logging_config.log_collector_config is not supported; leave it out, --request-log says where records go");
  }
  if (logging.sampling_config().attributes() != 0) {
    return absl::InvalidArgumentError("logging_config.sampling_config.attributes is not supported; leave it out");
  }
  const double rate = logging.sampling_config().sampling_rate();
  if (rate > 0 && !request_log) {
    return absl::InvalidArgumentError("logging_config.sampling_config.sampling_rate needs --request-log");
  }
  if (rate >= 0 && rate <= 1) return rate;
  return absl::InvalidArgumentError(
      base::cat("logging_config.sampling_config.sampling_rate must be between 0 and 1, not ", rate));
}

absl::StatusOr<ModelConfig> to_model_config(const tfs_pb::ModelConfig& from, const ModelDefaults& defaults) {
  ModelConfig config;
  TG_ASSIGN_OR_RETURN(config.record_rate, record_rate_of(from, defaults.request_log));
  config.name = from.name();
  config.base_path = from.base_path();
  TG_ASSIGN_OR_RETURN(config.platform, platform_of(from));
  config.versions = policy_of(from.model_version_policy());
  config.labels = {from.version_labels().begin(), from.version_labels().end()};
  config.warm_up = defaults.warm_up;
  return config;
}

constexpr std::string_view kConfigFile = "Model config file", kBatchingFile = "Batching parameters file";

absl::Status parse_text(std::string_view text, std::string_view path, std::string_view what,
                        google::protobuf::Message& message) {
  return base::annotate(parse_text_format(text, message), base::cat(what, " ", path));
}

}  // namespace

absl::StatusOr<std::vector<ModelConfig>> to_model_configs(const tfs_pb::ModelServerConfig& config,
                                                          const ModelDefaults& defaults) {
  if (config.has_custom_model_config()) return absl::InvalidArgumentError("custom_model_config is not supported");
  std::vector<ModelConfig> models;
  for (const tfs_pb::ModelConfig& model : config.model_config_list().config()) {
    absl::StatusOr<ModelConfig> known = to_model_config(model, defaults);
    if (!known.ok()) return base::annotate(known.status(), base::cat("Model ", model.name()));
    models.push_back(*std::move(known));
  }
  return models;
}

absl::StatusOr<tfs_pb::ModelServerConfig> parse_server_config(std::string_view text, std::string_view path) {
  tfs_pb::ModelServerConfig config;
  TG_RETURN_IF_ERROR(parse_text(text, path, kConfigFile, config));
  return config;
}

absl::StatusOr<std::string> read_monitoring_path(const std::string& path) {
  constexpr std::string_view kWhat = "Monitoring config file";
  tfs_pb::MonitoringConfig config;
  TG_ASSIGN_OR_RETURN(const std::string text, base::annotate(base::read_file(path), kWhat));
  TG_RETURN_IF_ERROR(parse_text(text, path, kWhat, config));
  if (!config.prometheus_config().enable()) return "";
  const std::string& wanted = config.prometheus_config().path();
  if (wanted.empty()) return "/monitoring/prometheus/metrics";
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(base::cat(kWhat, " ", path, ": prometheus_config.path \"", wanted, "\" ", why));
  };
  if (!wanted.starts_with('/')) return refuse("does not begin with /");
  return is_reserved_path(wanted) ? refuse("is a path that the server needs itself")
                                  : absl::StatusOr<std::string>(wanted);
}

absl::Status read_batching_parameters(const std::string& path, BatchingOptions& options) {
  TG_ASSIGN_OR_RETURN(const std::string text, base::annotate(base::read_file(path), kBatchingFile));
  return parse_batching_parameters(text, path, options);
}

absl::Status parse_batching_parameters(std::string_view text, std::string_view path, BatchingOptions& options) {
  tfs_pb::BatchingParameters from;
  TG_RETURN_IF_ERROR(parse_text(text, path, kBatchingFile, from));
  const auto take = [](bool given, const google::protobuf::Int64Value& value, int64_t& to) {
    if (given) to = value.value();
  };
  take(from.has_max_batch_size(), from.max_batch_size(), options.max_batch_size);
  take(from.has_max_enqueued_batches(), from.max_enqueued_batches(), options.max_enqueued_batches);
  take(from.has_num_batch_threads(), from.num_batch_threads(), options.num_batch_threads);
  if (from.has_batch_timeout_micros()) {
    options.batch_timeout = absl::Microseconds(from.batch_timeout_micros().value());
  }
  options.allowed_batch_sizes = {from.allowed_batch_sizes().begin(), from.allowed_batch_sizes().end()};
  if (from.has_enable_large_batch_splitting()) {
    options.enable_large_batch_splitting = from.enable_large_batch_splitting().value();
  }
  // The rows of a run when larger requests are split; max_batch_size is the largest request's then, for which there is
  // no need to be bounded here.
  if (options.enable_large_batch_splitting) {
    take(from.has_max_execution_batch_size(), from.max_execution_batch_size(), options.max_batch_size);
  }
  options.pad_variable_length_inputs = from.pad_variable_length_inputs();
  return base::annotate(check(options), base::cat(kBatchingFile, " ", path));
}

}  // namespace tidegate::serving
