#include "serving-runtime/repository/model_repository.h"

#include <malloc.h>

#include "base/log.h"
#include "base/status.h"
#include "serving-runtime/repository/version_folders.h"
#include "serving-runtime/repository/warm_up.h"

namespace tidegate::serving {

ModelRepository::ModelRepository(ModelConfig config, BackendSource backends, ServableDirectory& directory,
                                 const base::Clock& clock)
    : config_(std::move(config)), backends_(std::move(backends)), directory_(directory), clock_(clock) {
  entry_.labels = config_.labels;
  publish();
}

absl::Status ModelRepository::step() {
  free_retired();
  TG_ASSIGN_OR_RETURN(std::set<int64_t> wanted, scan());
  absl::Status result;
  while (auto action = next_action(wanted, progress_, clock_.now())) {
    if (action->step == Step::kUnload) {
      begin_unload(action->version);
    } else if (absl::Status loaded = load(action->version); !loaded.ok()) {
      result = loaded;
    }
  }
  free_retired();
  return result;
}

// A base path that vanished, or is empty, unloads nothing: it is more likely a mistake than a wish.
absl::StatusOr<std::set<int64_t>> ModelRepository::scan() {
  TG_ASSIGN_OR_RETURN(auto folders, list_version_folders(config_.base_path));
  if (folders.empty()) {
    return absl::NotFoundError(base::cat("No versions of model ", config_.name, " found under base path ",
                                         config_.base_path, "; a version is a folder named by its number"));
  }
  folders_ = std::move(folders);
  std::set<int64_t> versions;
  for (const auto& [version, folder] : folders_) versions.insert(version);
  return newest(versions, config_.latest);
}

absl::Status ModelRepository::load(int64_t version) {
  absl::Duration begin = clock_.uptime();
  set_state(version, VersionState::kLoading, absl::OkStatus(), nullptr);
  auto servable = make_servable(version);
  if (servable.ok()) {
    base::log_info(
        "model version available",
        {{"model", config_.name}, {"version", version}, {"seconds", absl::ToDoubleSeconds(clock_.uptime() - begin)}});
    set_state(version, VersionState::kAvailable, absl::OkStatus(), *std::move(servable));
    return absl::OkStatus();
  }
  VersionProgress& progress = progress_[version];
  ++progress.failures;
  progress.retry_at = clock_.now() + kLoadRetryInterval;
  base::log_error(
      "model version cannot be loaded",
      {{"model", config_.name}, {"version", version}, {"failures", progress.failures}, {"error", servable.status()}});
  set_state(version, VersionState::kEnd, servable.status(), nullptr);
  return base::annotate(servable.status(), base::cat("Model ", config_.name, " version ", version));
}

absl::StatusOr<std::shared_ptr<const Servable>> ModelRepository::make_servable(int64_t version) {
  const std::string& folder = folders_.at(version);
  TG_ASSIGN_OR_RETURN(const Backend* backend, backends_(folder));
  TG_ASSIGN_OR_RETURN(auto model, backend->load(folder));
  auto servable = std::make_shared<const Servable>(config_.name, version, folder, backend->name(), std::move(model));
  if (!config_.warm_up) return servable;
  WarmUpReport report;
  TG_RETURN_IF_ERROR(base::annotate(warm_up(*servable, report), "warm-up"));
  base::log_debug(
      "warm-up done",
      {{"model", config_.name}, {"version", version}, {"recorded", report.recorded}, {"synthetic", report.synthetic}});
  for (const std::string& signature : report.refused) {
    base::log_warning("warm-up: the model refused an input of zeros; its first request may be slow",
                      {{"model", config_.name}, {"version", version}, {"signature", signature}});
  }
  return servable;
}

void ModelRepository::begin_unload(int64_t version) {
  base::log_info("model version is being unloaded", {{"model", config_.name}, {"version", version}});
  retired_[version] = entry_.versions[version].servable;
  set_state(version, VersionState::kUnloading, absl::OkStatus(), nullptr);
}

void ModelRepository::free_retired() {
  bool freed = false;
  for (auto retired = retired_.begin(); retired != retired_.end();) {
    // Readers get a servable only from the table, which no longer has it, so the count can only fall.
    if (retired->second.use_count() > 1) {
      ++retired;
      continue;
    }
    int64_t version = retired->first;
    retired = retired_.erase(retired);
    freed = true;
    set_state(version, VersionState::kEnd, absl::OkStatus(), nullptr);
    base::log_info("model version unloaded", {{"model", config_.name}, {"version", version}});
  }
  if (freed) malloc_trim(0);
}

void ModelRepository::set_state(int64_t version, VersionState state, absl::Status error,
                                std::shared_ptr<const Servable> servable) {
  progress_[version].state = state;
  entry_.versions[version] = {state, std::move(error), std::move(servable)};
  publish();
}

void ModelRepository::publish() {
  auto table = std::make_shared<ServableTable>(*directory_.read());
  table->models[config_.name] = entry_;
  directory_.publish(std::move(table));
}

}  // namespace tidegate::serving
