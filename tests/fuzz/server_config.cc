// The texts of --model-config-file, --batching-parameters-file and --monitoring-config-file. The same input is read as
// each.
#include <google/protobuf/text_format.h>

#include "fuzz/fuzzing.h"
#include "serving-runtime/repository/batching_parameters.h"
#include "serving-runtime/repository/server_config.h"
#include "serving-runtime/serve/monitoring_config.h"

namespace tidegate::fuzz {
namespace {

constexpr serving::ModelDefaults kDefaults = {.warm_up = true, .request_log = true};

void models(std::string_view text) {
  auto config = serving::parse_server_config(text, "file");
  if (!config.ok()) return require_client_error(config.status());
  auto models = serving::to_model_configs(*config, kDefaults);
  if (!models.ok()) return require_client_error(models.status());
  absl::Status usable = serving::check_models(*models);
  if (!usable.ok()) return require_client_error(usable);
  for (const serving::ModelConfig& model : *models) {
    require(!model.name.empty() && !model.base_path.empty(), "a model has a name and a place");
    require(model.versions.latest >= 1, "a server keeps the latest version");
  }
  std::string printed;
  google::protobuf::TextFormat::PrintToString(*config, &printed);
  auto again = serving::parse_server_config(printed, "file");
  require(again.ok() && serving::to_model_configs(*again, kDefaults).value() == *models,
          "a config that is written anew means the same", printed);
}

void batching(std::string_view text) {
  serving::BatchingOptions options;
  absl::Status usable = serving::parse_batching_parameters(text, "file", options);
  if (!usable.ok()) return require_client_error(usable);
  require(options.max_batch_size > 0 && options.num_batch_threads > 0 && options.max_enqueued_batches > 0,
          "sizes and numbers are at least 1");
  require(options.batch_timeout >= absl::ZeroDuration(), "nobody waits for less than no time");
}

void monitoring(std::string_view text) {
  const absl::StatusOr<std::string> path = serving::parse_monitoring_path(text, "file");
  if (!path.ok()) return require_client_error(path.status());
  require(path->empty() || path->starts_with('/'), "metrics are nowhere or at a path");
}

}  // namespace
}  // namespace tidegate::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate::fuzz;
  models(as_text(data, size));
  batching(as_text(data, size));
  monitoring(as_text(data, size));
  return 0;
}
