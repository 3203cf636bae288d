#pragma once
// One model on disk -> versions of it that serve. Looks at the base path, loads and warms up what the config wants,
// puts them into the table that front ends read, and frees what nobody uses any more.
//
// Only one thread at a time may use it; it is one that loads, never one that answers.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "serving-runtime/core/backend.h"
#include "serving-runtime/core/batched_model.h"
#include "serving-runtime/core/response_cache.h"
#include "serving-runtime/core/servable_table.h"
#include "serving-runtime/repository/load_planner.h"
#include "serving-runtime/repository/model_config.h"
#include "serving-runtime/repository/version_memory.h"

namespace tidegate::serving {

// The backend for a version's folder, opened on first use. Any thread.
using BackendSource = std::function<absl::StatusOr<const Backend*>(const std::string& folder)>;

// What loading a version is made of.
enum class LoadStep { kLoad, kWarmUp };
using OnLoadStep = std::function<void(const std::string& folder, LoadStep, const absl::Status&, absl::Duration took)>;

// How models are loaded and run; the same for all of a server.
struct LoadOptions {
  LoadRetries retries;
  std::optional<BatchingOptions> batching;  // unset: each request is a run of its own
  bool batching_per_model = false;          // then only of versions that bring a batching_params.pbtxt, as that says
  std::function<void(const std::string& model, const BatchRun&)> on_batch = [](const std::string&, const BatchRun&) {};
  OnLoadStep on_load_step = [](const std::string&, LoadStep, const absl::Status&, absl::Duration) {};
  uint32_t warm_up_iterations = 1;  // of each recorded request
  ResponseCache* cache = nullptr;   // null: each request is answered anew. Outlives what is loaded
  // Set: models are loaded when they are asked for, and what they take is measured by it: bytes in use in the process.
  std::function<uint64_t()> memory_in_use = nullptr;
};

class ModelVersions {
 public:
  // The model is in the table from now on, with no version. References outlive it.
  ModelVersions(ModelConfig config, const BackendSource& backends, ServableDirectory& directory,
                const base::Clock& clock, const LoadOptions& options);

  const ModelConfig& config() const { return config_; }
  // What is wanted from the next step on; the name stays. With another base path a version that serves is replaced by
  // that of its number there, as soon as that one serves.
  void set_config(ModelConfig config);

  // Whether what is wanted is to be loaded, from the next step on. So it is at first, unless models are loaded when
  // they are asked for. Loads that failed are tried again.
  void set_resident(bool resident);

  // Looks once and carries out everything that is due. The error of the last load that failed (while nothing serves,
  // that of an earlier step), or NOT_FOUND when the base path holds no version that is wanted; versions that serve keep
  // serving either way. Without residence: unloads what serves; NOT_FOUND as above.
  absl::Status step();

  bool serves() const;
  // Something of it is loaded, if only by requests in flight.
  bool is_in_memory() const;
  // What it takes or, without residence, what it would take: as measured, or the size of its files.
  MemoryNeed memory() const;

  // Requests still use what was unloaded, or a load that failed is to be tried again.
  bool is_unfinished() const;

  // Takes it out of the table. False while requests in flight still use a version: call again.
  bool end();

 private:
  absl::StatusOr<std::set<int64_t>> scan();
  absl::Status come_to_rest();
  void list_at_rest();
  uint64_t memory_in_use() const { return options_.memory_in_use ? options_.memory_in_use() : 0; }
  absl::Status load(int64_t version);
  absl::Status replace_if_moved(int64_t version);
  absl::Status why_nothing_serves() const;
  absl::Status explained(const absl::Status& error, int64_t version) const;
  absl::StatusOr<std::shared_ptr<const Servable>> load_servable(int64_t version);
  absl::StatusOr<std::shared_ptr<const Servable>> make_servable(int64_t version);
  absl::Status warm_up(const Servable& servable) const;
  absl::StatusOr<std::optional<BatchingOptions>> batching_of(const std::string& folder) const;
  std::unique_ptr<LoadedModel> batched(std::unique_ptr<LoadedModel> model, BatchingOptions batching) const;
  void begin_unload(int64_t version);
  void free_retired();
  void note_freed(int64_t version);
  void set_state(int64_t version, VersionState state, absl::Status error, std::shared_ptr<const Servable> servable);
  void publish();

  ModelConfig config_;
  const BackendSource& backends_;
  ServableDirectory& directory_;
  const base::Clock& clock_;
  const LoadOptions& options_;
  bool ended_ = false;
  bool resident_;
  std::map<int64_t, std::string> folders_;
  std::set<int64_t> wanted_;  // of them, when it was last looked
  VersionMemory memory_;
  std::map<int64_t, VersionProgress> progress_;
  ModelEntry entry_;
  // Unloaded and replaced versions that requests in flight still use. Freed here, never on a thread that answers.
  std::vector<std::pair<int64_t, std::shared_ptr<const Servable>>> retired_;
};

}  // namespace tidegate::serving
