#include "serving-runtime/serve/config_file.h"

#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "base/status.h"

namespace tidegate::serving {
namespace {

constexpr std::string_view kConfigFile = "Model config file";

}  // namespace

ModelDefaults model_defaults(const ServeOptions& options) {
  return {options.warm_up, !options.request_log.target.empty()};
}

absl::StatusOr<std::string> config_text(const ServeOptions& options) {
  return base::annotate(base::read_file(options.model_config_file), kConfigFile);
}

absl::StatusOr<std::vector<ModelConfig>> models_of(const ServeOptions& options, std::string_view text, When when) {
  TG_ASSIGN_OR_RETURN(const auto file, parse_server_config(text, options.model_config_file));
  if (when == When::kLater && !file.has_model_config_list()) {
    return absl::FailedPreconditionError(base::cat(kConfigFile, " ", options.model_config_file,
                                                   " has no model_config_list; an empty one unloads all models"));
  }
  auto models = to_model_configs(file, model_defaults(options));
  if (absl::Status usable = models.ok() ? check_models(*models) : models.status(); !usable.ok()) {
    return base::annotate(usable, base::cat(kConfigFile, " ", options.model_config_file));
  }
  return models;
}

ConfigFileWatch::ConfigFileWatch(const ServeOptions& options, std::string known,
                                 std::function<void(std::vector<ModelConfig>)> take_over)
    : options_(options), known_(std::move(known)), take_over_(std::move(take_over)) {}

void ConfigFileWatch::look() {
  absl::StatusOr<std::string> text = config_text(options_);
  if (text.status() != std::exchange(unreadable_, text.status()) && !text.ok()) {
    base::log_error("the model config file cannot be read", {{"error", text.status()}});
  }
  if (!text.ok() || *text == known_) return;
  known_ = *std::move(text);
  auto models = models_of(options_, known_, When::kLater);
  if (models.ok()) return take_over_(*std::move(models));
  base::log_error("the changed model config file is not taken over", {{"error", models.status()}});
}

}  // namespace tidegate::serving
