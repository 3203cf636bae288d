#include "serving-runtime/repository/version_loader.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "serving-runtime/repository/batching_parameters.h"
#include "serving-runtime/repository/warm_up.h"

namespace tidegate::serving {

absl::StatusOr<VersionLoader::Loaded> VersionLoader::load(const ModelConfig& config, int64_t version,
                                                          const std::string& folder) const {
  TG_ASSIGN_OR_RETURN(const Backend* backend, backend_for(config, folder));
  // From here on, since opening the backend is not the model's doing.
  const uint64_t before = options_.bytes_in_use();
  TG_ASSIGN_OR_RETURN(std::unique_ptr<LoadedModel> model, load_model(*backend, folder));
  TG_ASSIGN_OR_RETURN(std::optional<BatchingOptions> batching, batching_of(folder));
  if (batching) model = batched(std::move(model), *std::move(batching), config.name);
  std::optional<ModelCache> cache;
  if (options_.cache != nullptr) cache.emplace(*options_.cache, clock_);
  auto servable = std::make_shared<const Servable>(config.name, version, folder, backend->name(), std::move(model),
                                                   std::move(cache));
  if (config.warm_up) TG_RETURN_IF_ERROR(warm_up(*servable));
  return Loaded{std::move(servable), std::max(before, options_.bytes_in_use()) - before};
}

absl::StatusOr<const Backend*> VersionLoader::backend_for(const ModelConfig& config, const std::string& folder) const {
  TG_ASSIGN_OR_RETURN(const Backend* backend, backends_(folder));
  if (config.platform.empty() || config.platform == backend->name()) return backend;
  return absl::InvalidArgumentError(base::cat(folder, " is a model for ", backend->name(), ", not for ",
                                              config.platform, ", which model_platform asks for"));
}

absl::StatusOr<std::unique_ptr<LoadedModel>> VersionLoader::load_model(const Backend& backend,
                                                                       const std::string& folder) const {
  const absl::Duration begin = clock_.uptime();
  auto model = backend.load(folder);
  options_.on_load_step(folder, LoadStep::kLoad, model.status(), clock_.uptime() - begin);
  return model;
}

// As TensorFlow Serving has it: with parameters of their own, versions that bring none are not batched.
absl::StatusOr<std::optional<BatchingOptions>> VersionLoader::batching_of(const std::string& folder) const {
  if (!options_.batching || !options_.batching_per_model) return options_.batching;
  const std::string path = folder + "/batching_params.pbtxt";
  if (std::error_code error; !std::filesystem::exists(path, error)) return std::nullopt;
  BatchingOptions own;
  TG_RETURN_IF_ERROR(read_batching_parameters(path, own));
  own.num_batch_threads = options_.batching->num_batch_threads;
  return own;
}

std::unique_ptr<LoadedModel> VersionLoader::batched(std::unique_ptr<LoadedModel> model, BatchingOptions batching,
                                                    const std::string& name) const {
  batching.on_batch = [&report = options_.on_batch, name](const BatchRun& run) { report(name, run); };
  return std::make_unique<BatchedModel>(std::move(model), std::move(batching), clock_);
}

absl::Status VersionLoader::warm_up(const Servable& servable) const {
  WarmUpReport report;
  const absl::Duration begin = clock_.uptime();
  const absl::Status warm = serving::warm_up(servable, report, options_.warm_up_iterations);
  options_.on_load_step(servable.folder(), LoadStep::kWarmUp, warm, clock_.uptime() - begin);
  TG_RETURN_IF_ERROR(base::annotate(warm, "warm-up"));
  base::log_debug("warm-up done", {{"model", servable.name()},
                                   {"version", servable.version()},
                                   {"recorded", report.recorded},
                                   {"synthetic", report.synthetic}});
  for (const std::string& signature : report.refused) {
    base::log_warning("warm-up: the model refused an input of zeros; its first request may be slow",
                      {{"model", servable.name()}, {"version", servable.version()}, {"signature", signature}});
  }
  return absl::OkStatus();
}

}  // namespace tidegate::serving
