#pragma once
// Models on disk -> versions that serve. Looks at the base path, loads and warms up what the policy wants, publishes
// the table that front ends read, and frees what nobody uses any more.
//
// One thread calls step(); loading happens there, apart from the threads that answer requests.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "serving-runtime/core/backend.h"
#include "serving-runtime/core/servable_table.h"
#include "serving-runtime/repository/load_planner.h"

namespace tidegate::serving {

struct ModelConfig {
  std::string name;
  std::string base_path;
  size_t latest = 1;                      // how many of the newest versions serve
  std::map<std::string, int64_t> labels;  // "stable" -> 3
  bool warm_up = true;
};

// The backend for a version's folder, opened on first use.
using BackendSource = std::function<absl::StatusOr<const Backend*>(const std::string& folder)>;

class ModelRepository {
 public:
  ModelRepository(ModelConfig config, BackendSource backends, ServableDirectory& directory, const base::Clock& clock);

  // Looks once and carries out everything that is due. The error of the last load that failed, or NOT_FOUND when the
  // base path holds no version; versions that serve keep serving either way.
  absl::Status step();

 private:
  absl::StatusOr<std::set<int64_t>> scan();
  absl::Status load(int64_t version);
  absl::StatusOr<std::shared_ptr<const Servable>> make_servable(int64_t version);
  void begin_unload(int64_t version);
  void free_retired();
  void set_state(int64_t version, VersionState state, absl::Status error, std::shared_ptr<const Servable> servable);
  void publish();

  const ModelConfig config_;
  const BackendSource backends_;
  ServableDirectory& directory_;
  const base::Clock& clock_;
  std::map<int64_t, std::string> folders_;
  std::map<int64_t, VersionProgress> progress_;
  ModelEntry entry_;
  // Unloaded versions that requests in flight still use. Freed here, never on a thread that answers.
  std::map<int64_t, std::shared_ptr<const Servable>> retired_;
};

}  // namespace tidegate::serving
