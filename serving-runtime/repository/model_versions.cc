#include "serving-runtime/repository/model_versions.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "model/model_format.h"
#include "serving-runtime/repository/heap.h"
#include "serving-runtime/repository/version_folders.h"

namespace tidegate::serving {

ModelVersions::ModelVersions(ModelConfig config, const BackendSource& backends, ServableDirectory& directory,
                             const base::Clock& clock, const LoadOptions& options)
    : config_(std::move(config)),
      directory_(directory),
      clock_(clock),
      options_(options),
      loader_(backends, clock, options),
      resident_(!options.memory_in_use) {
  entry_.on_demand = !resident_;
  publish();
}

void ModelVersions::set_config(ModelConfig config) {
  config_ = std::move(config);
  // What failed may do now: somebody has just asked for it.
  for (auto& [version, progress] : progress_) progress = {progress.state};
  if (!is_in_memory()) memory_ = {};
  publish();
}

void ModelVersions::set_resident(bool resident) {
  if (resident == std::exchange(resident_, resident) || !resident) return;
  for (auto& [version, progress] : progress_) progress = {progress.state};
}

absl::Status ModelVersions::step() {
  if (!resident_) return come_to_rest();
  free_retired();
  TG_ASSIGN_OR_RETURN(std::set<int64_t> wanted, scan());
  absl::Status result;
  while (auto action = next_action(wanted, progress_, options_.retries, clock_.now())) {
    if (action->step == Step::kUnload) {
      begin_unload(action->version);
    } else if (absl::Status loaded = load(action->version); !loaded.ok()) {
      result = loaded;
    }
  }
  for (const int64_t version : wanted) {
    if (absl::Status replaced = replace_if_moved(version); !replaced.ok()) result = replaced;
  }
  free_retired();
  return result.ok() ? why_nothing_serves() : result;
}

absl::Status ModelVersions::come_to_rest() {
  for (const auto& [version, progress] : std::map(progress_)) {
    if (progress.state == VersionState::kAvailable) begin_unload(version);
  }
  free_retired();
  wanted_.clear();
  TG_ASSIGN_OR_RETURN(wanted_, scan());
  list_at_rest();
  return absl::OkStatus();
}

// The table shows what a request would load. One that could not be loaded keeps its error until it is tried again.
void ModelVersions::list_at_rest() {
  for (const int64_t version : wanted_) {
    if (!memory_.is_known(version)) memory_.expect(version, folder_bytes(folders_.at(version)));
    const auto entry = entry_.versions.find(version);
    const bool ended_well =
        entry == entry_.versions.end() || (entry->second.state == VersionState::kEnd && entry->second.error.ok());
    if (ended_well) set_state(version, VersionState::kStart, absl::OkStatus(), nullptr);
  }
  const auto is_over = [this](const auto& entry) {
    return entry.second.state == VersionState::kStart && !wanted_.contains(entry.first);
  };
  std::erase_if(progress_, is_over);
  if (std::erase_if(entry_.versions, is_over) > 0) publish();
}

bool ModelVersions::serves() const {
  return std::any_of(entry_.versions.begin(), entry_.versions.end(),
                     [](const auto& entry) { return entry.second.servable != nullptr; });
}

bool ModelVersions::is_in_memory() const { return serves() || !retired_.empty(); }

MemoryNeed ModelVersions::memory() const {
  std::set<int64_t> counted = resident_ ? std::set<int64_t>() : wanted_;
  for (const auto& [version, entry] : entry_.versions) {
    if (entry.servable) counted.insert(version);
  }
  for (const auto& [version, servable] : retired_) counted.insert(version);
  MemoryNeed need;
  for (const int64_t version : counted) {
    need.bytes += memory_.bytes(version);
    need.measured = need.measured && memory_.is_measured(version);
  }
  return need;
}

absl::Status ModelVersions::why_nothing_serves() const {
  absl::Status why;
  for (const auto& [version, entry] : entry_.versions) {
    if (entry.servable) return absl::OkStatus();
    if (why.ok() && !entry.error.ok()) why = explained(entry.error, version);
  }
  return why;
}

absl::Status ModelVersions::explained(const absl::Status& error, int64_t version) const {
  return base::annotate(error, base::cat("Model ", config_.name, " version ", version));
}

bool ModelVersions::is_unfinished() const {
  if (!retired_.empty()) return true;
  return resident_ && std::any_of(progress_.begin(), progress_.end(), [this](const auto& entry) {
           return entry.second.failures > 0 && entry.second.failures <= options_.retries.times;
         });
}

bool ModelVersions::end() {
  ended_ = true;
  for (const auto& [version, progress] : std::map(progress_)) {
    if (progress.state == VersionState::kAvailable) begin_unload(version);
  }
  directory_.update([this](ServableTable& table) { table.models.erase(config_.name); });
  free_retired();
  return retired_.empty();
}

// A base path that vanished, or is empty, unloads nothing: it is more likely a mistake than a wish.
absl::StatusOr<std::set<int64_t>> ModelVersions::scan() {
  TG_ASSIGN_OR_RETURN(folders_, list_version_folders(config_.base_path));
  if (folders_.empty()) {
    const bool too_deep = model::detect_format(config_.base_path).ok();
    return absl::NotFoundError(base::cat("No versions of model ", config_.name, " found under base path ",
                                         config_.base_path, "; a version is a folder named by its number",
                                         too_deep ? ", and this is a version's: name the one above it" : ""));
  }
  std::set<int64_t> versions;
  for (const auto& [version, folder] : folders_) versions.insert(version);
  std::set<int64_t> wanted = chosen(config_.versions, versions);
  if (!wanted.empty()) return wanted;
  return absl::NotFoundError(base::cat("None of the versions of model ", config_.name,
                                       " that its version policy names is under base path ", config_.base_path));
}

absl::Status ModelVersions::load(int64_t version) {
  set_state(version, VersionState::kLoading, absl::OkStatus(), nullptr);
  auto servable = load_servable(version);
  if (servable.ok()) {
    set_state(version, VersionState::kAvailable, absl::OkStatus(), *std::move(servable));
    return absl::OkStatus();
  }
  set_state(version, VersionState::kEnd, servable.status(), nullptr);
  return explained(servable.status(), version);
}

// The base path leads elsewhere than when the version was loaded: its new files serve before the old ones go.
absl::Status ModelVersions::replace_if_moved(int64_t version) {
  const std::shared_ptr<const Servable> before = entry_.versions[version].servable;
  if (!before || before->folder() == folders_.at(version)) return absl::OkStatus();
  if (!may_load(progress_[version], options_.retries, clock_.now())) return absl::OkStatus();
  memory_.forget(version);
  auto servable = load_servable(version);
  if (!servable.ok()) return explained(servable.status(), version);
  retired_.emplace_back(version, before);
  set_state(version, VersionState::kAvailable, absl::OkStatus(), *std::move(servable));
  return absl::OkStatus();
}

// Keeps count of what fails.
absl::StatusOr<std::shared_ptr<const Servable>> ModelVersions::load_servable(int64_t version) {
  const std::string& folder = folders_.at(version);
  const absl::Duration begin = clock_.uptime();
  // Some take minutes.
  base::log_info("model version is being loaded", {{"model", config_.name}, {"version", version}, {"folder", folder}});
  if (options_.memory_in_use && !memory_.is_known(version)) memory_.expect(version, folder_bytes(folder));
  auto loaded = loader_.load(config_, version, folder);
  VersionProgress& progress = progress_[version];
  if (loaded.ok()) {
    progress = {progress.state};
    memory_.loaded(version, loaded->growth);
    base::log_info(
        "model version available",
        {{"model", config_.name}, {"version", version}, {"seconds", absl::ToDoubleSeconds(clock_.uptime() - begin)}});
    return std::move(loaded->servable);
  }
  ++progress.failures;
  progress.retry_at = clock_.now() + options_.retries.interval;
  base::log_error(
      "model version cannot be loaded",
      {{"model", config_.name}, {"version", version}, {"failures", progress.failures}, {"error", loaded.status()}});
  return loaded.status();
}

void ModelVersions::begin_unload(int64_t version) {
  base::log_info("model version is being unloaded", {{"model", config_.name}, {"version", version}});
  retired_.emplace_back(version, entry_.versions[version].servable);
  set_state(version, VersionState::kUnloading, absl::OkStatus(), nullptr);
}

void ModelVersions::free_retired() {
  // Readers get a servable only from the table, which no longer has it, so the count can only fall.
  bool freed = false;
  for (auto retired = retired_.begin(); retired != retired_.end();) {
    if (retired->second.use_count() > 1) {
      ++retired;
      continue;
    }
    const int64_t version = retired->first;
    const uint64_t before = options_.bytes_in_use();
    retired = retired_.erase(retired);
    memory_.freed(version, before - std::min(before, options_.bytes_in_use()));
    note_freed(version);
    freed = true;
  }
  if (freed) return_free_heap();
}

void ModelVersions::note_freed(int64_t version) {
  if (progress_[version].state == VersionState::kUnloading) {
    set_state(version, VersionState::kEnd, absl::OkStatus(), nullptr);
  }
  base::log_info("model version unloaded", {{"model", config_.name}, {"version", version}});
}

void ModelVersions::set_state(int64_t version, VersionState state, absl::Status error,
                              std::shared_ptr<const Servable> servable) {
  progress_[version].state = state;
  entry_.versions[version] = {state, std::move(error), std::move(servable)};
  publish();
}

void ModelVersions::publish() {
  if (ended_) return;
  for (const auto& [version, entry] : entry_.versions) {
    if (entry.servable) entry.servable->set_record_rate(config_.record_rate);
  }
  directory_.update([this](ServableTable& table) {
    // Labels are the config's from when it was taken over: what is told here may be older.
    const auto known = table.models.find(config_.name);
    auto labels = known == table.models.end() ? config_.labels : std::move(known->second.labels);
    auto& told = table.models[config_.name] = entry_;
    told.labels = std::move(labels);
  });
}

}  // namespace tidegate::serving
