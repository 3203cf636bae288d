#include "serving-runtime/repository/server_config.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"
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
  TG_RETURN_IF_ERROR(parse_text_file(text, "Model config file", path, config));
  return config;
}

}  // namespace tidegate::serving
