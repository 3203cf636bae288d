#pragma once
// One model on disk -> versions of it that serve. Looks at the base path, has loaded what the config wants, puts them
// into the table that front ends read, and frees what nobody uses any more.
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
#include "serving-runtime/core/servable_table.h"
#include "serving-runtime/repository/load_planner.h"
#include "serving-runtime/repository/model_config.h"
#include "serving-runtime/repository/version_loader.h"
#include "serving-runtime/repository/version_memory.h"

namespace tidegate::serving {

class ModelVersions {
 public:
  // The model is in the table from now on, with no version. References outlive it.
  ModelVersions(ModelConfig config, const BackendSource& backends, ServableDirectory& directory,
                const base::Clock& clock, const LoadOptions& options);

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
  absl::Status load(int64_t version);
  absl::Status replace_if_moved(int64_t version);
  absl::Status why_nothing_serves() const;
  absl::Status explained(const absl::Status& error, int64_t version) const;
  absl::StatusOr<std::shared_ptr<const Servable>> load_servable(int64_t version);
  void begin_unload(int64_t version);
  void free_retired();
  void note_freed(int64_t version);
  void set_state(int64_t version, VersionState state, absl::Status error, std::shared_ptr<const Servable> servable);
  void publish();

  ModelConfig config_;
  ServableDirectory& directory_;
  const base::Clock& clock_;
  const LoadOptions& options_;
  const VersionLoader loader_;
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
