#pragma once
// The models that a server has: told by the command line, a config file or HandleReloadConfigRequest, and each looked
// after by a ModelVersions.
//
//   configs ─► reload() ─► one slot a model ─► run_one() on load threads ─► ModelVersions::step() ─► ServableDirectory
//
// A slot is worked on by one thread at a time, several slots at once. Loading happens in run_one() alone, apart from
// the threads that answer requests. With --max-resident ResidentModels says which of the models are loaded; it is told
// what came of it.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "serving-runtime/core/model_control.h"
#include "serving-runtime/repository/load_waiters.h"
#include "serving-runtime/repository/model_versions.h"
#include "serving-runtime/repository/resident_models.h"

namespace tidegate::serving {

struct RepositoryOptions {
  absl::Duration poll = absl::Seconds(1);  // between two looks at a base path; zero: only when told to
  LoadOptions loading;
  // Labels may be given to versions that do not serve yet, unless the label is one that is in use.
  bool labels_for_unavailable = false;
  // Set, as LoadOptions::memory_in_use is: it says which models are loaded. Outlives the repository.
  ResidentModels* residents = nullptr;
};

class ModelRepository : public ModelControl {
 public:
  // What became of the new models of a reload. Called once, from reload(), run_one() or stop().
  using Outcome = LoadOutcome;
  using ReloadDone = LoadWaiters::Done;

  ModelRepository(BackendSource backends, ServableDirectory& directory, const base::Clock& clock,
                  RepositoryOptions options);

  // From now on exactly `models`: others are unloaded, new ones loaded, changed ones brought to what is wanted. Any
  // thread. Refused, and nothing changes: INVALID_ARGUMENT, see check_models(), also when a model's platform would
  // change; FAILED_PRECONDITION when a label names a version that does not serve. The first call takes any label.
  // Else `done` gets UNKNOWN, in TensorFlow Serving's words, with the names and reasons when a new model could not be
  // loaded; the models are the new ones all the same, and loading is tried again. CANCELLED: stop() came first.
  void reload(std::vector<ModelConfig> models, ReloadDone done);

  // ModelControl, for the models that are configured. One that was unloaded stays away until it is loaded, or a
  // reload() names it.
  void load(const std::string& name, Done done) override;
  void unload(const std::string& name, Done done) override;

  // The names and configs as the last reload() set them.
  std::vector<ModelConfig> models() const;

  // Steps one model that is due. When none was: how long until one is, infinite for not before a reload(). Any thread
  // but those that answer requests.
  std::optional<absl::Duration> run_one();

  // What a load thread does: run_one() for ever, until stop(). A load that has begun is finished.
  void run();
  // Nothing more is loaded or unloaded, and whoever waits for a reload is told so.
  void stop();
  // After stop(): whether the load threads come to rest within that time. A load may take minutes.
  bool rests_within(absl::Duration at_most);

 private:
  struct Slot {
    explicit Slot(std::unique_ptr<ModelVersions> versions) : versions(std::move(versions)) {}
    std::unique_ptr<ModelVersions> versions;
    std::optional<ModelConfig> next;  // set by reload(), for the thread that steps it
    bool resident = true;             // wanted: see ModelVersions::set_resident
    bool leaving = false;
    bool busy = false;
    absl::Duration due = -absl::InfiniteDuration();  // uptime
  };
  // What came of working on a slot once.
  struct Worked {
    absl::Status result;
    bool ended = false;     // a leaving model is gone
    bool outdated = false;  // another order came meanwhile: `result` says nothing of that
  };
  using Slots = std::map<std::string, Slot>;

  // With the lock held.
  absl::Status check_change(const std::vector<ModelConfig>& models) const;
  absl::Status check_labels(const ModelConfig& model) const;
  std::set<std::string> take_over(std::vector<ModelConfig> models);
  void add(ModelConfig config);
  void begin_to_leave(const std::string& name, Slot& slot);
  void take_residency_work();
  Slots::iterator next_due();
  absl::Duration time_to_next() const;
  void report(Slots::iterator at, const Worked& worked);
  void give_back(Slots::iterator at, const Worked& worked);
  void tell_waiters(const std::string& name, const Worked& worked);

  // Without it, by the thread that made the slot busy.
  Worked work_on(ModelVersions& versions, std::optional<ModelConfig> next, bool leaving, bool resident);

  const BackendSource backends_;
  ServableDirectory& directory_;
  const base::Clock& clock_;
  const RepositoryOptions options_;

  std::mutex measuring_;  // one model at a time, or what it takes could not be told from what another one does

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, ModelConfig> configs_;
  std::set<std::string> unloaded_;  // of them
  bool configured_ = false;         // reload() was called
  bool stopped_ = false;
  Slots slots_;
  int64_t decisions_ = 0;  // of residents, that were taken over
  LoadWaiters waiters_;
};

}  // namespace tidegate::serving
