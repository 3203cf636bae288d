#pragma once
// Finds out, for every ModelDeployment, which version its spec means and what exactly is there: lists the store with
// the Secret of the object's own namespace, again each pollInterval. Runs on the leader; the gatherer reads the
// results.
//
//   spec.model changed / poll due ──► queue ──► Secret, listing (network) ──► Resolution ──► on_change(key)
//
// A Secret is read once a poll for all objects that name it (secret_reader.h), and anew after it did not work.
//
// A version that is named by its number, and is the same as at the last look, is looked at less and less often, down to
// a tenth: it changes only if somebody replaces files under a name that stands for them.
//
// An error keeps what was found before, is remembered with the store's own words, and is tried again with backoff, at
// the latest after pollInterval. A slow or dead store costs its own object only.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "api/runtime_types.h"
#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "kube/store.h"
#include "kube/work_queue.h"
#include "operator/observers/secret_reader.h"
#include "operator/rendering/revision.h"
#include "rollout/observed.h"
#include "storage/model_source.h"
#include "storage/s3_options.h"

namespace tidegate::operator_ {

// A version that was found.
struct FoundModel {
  ModelSource source;
  api::ModelFormat format = api::ModelFormat::kSavedModel;

  friend bool operator==(const FoundModel&, const FoundModel&) = default;
};

// What is known about what one spec.model asks for. Both members are set when looking again failed.
struct Resolution {
  std::optional<FoundModel> found;
  std::optional<rollout::ResolveError> error;
};

// The error's reason and message for status; `what` names the model.
rollout::ResolveError resolve_error(const absl::Status& status, const std::string& what);

// The format that the files at the top of a version's folder make it. INVALID_ARGUMENT when it is none we know or more
// than one; the message names those that we know.
absl::StatusOr<api::ModelFormat> format_of(const storage::Manifest& manifest);

class ModelResolver {
 public:
  using StoreFactory = std::function<absl::StatusOr<std::unique_ptr<storage::ObjectStore>>(storage::S3Options options,
                                                                                           std::string bucket)>;
  static constexpr int kWorkers = 4;

  // `models`, `client` and `clock` must outlive it. `on_change` is called when a Resolution has changed.
  ModelResolver(const kube::Store<api::ModelDeployment>& models, kube::Client& client, StoreFactory make_store,
                base::Clock& clock, std::function<void(const base::ObjectKey&)> on_change);

  // Looks now; also how a new or changed object is made known.
  void look(const base::ObjectKey& key);
  // What an earlier leadership found: the stores may have changed since.
  void forget_all();
  // One of the workers; until `scope` ends.
  base::Task<void> work(base::Scope& scope);

  // What is known about exactly this spec; null before it was looked for.
  const Resolution* find(const base::ObjectKey& key, const api::ModelSpec& spec) const;
  // Since when it is being looked for, by look(); nullopt: it is not.
  std::optional<absl::Time> looking_since(const base::ObjectKey& key) const;

 private:
  struct Entry {
    std::string asked;  // what the Resolution is about
    Resolution resolution;
    int failures = 0;
    int looks_alike = 0;  // in a row that found the same
  };

  // Returns when to look again; infinite: never.
  base::Task<absl::Duration> resolve(base::ObjectKey key, base::Scope& scope);
  base::Task<absl::StatusOr<FoundModel>> look_up(base::ObjectKey key, api::ModelSpec spec, base::Scope& scope);
  base::Task<absl::StatusOr<storage::S3Options>> read_options(base::ObjectKey key, api::ModelSpec spec,
                                                              base::Scope& scope);
  absl::Duration remember(const base::ObjectKey& key, const api::ModelSpec& spec, absl::StatusOr<FoundModel> result);

  const kube::Store<api::ModelDeployment>& models_;
  SecretReader secrets_;
  base::Clock& clock_;
  StoreFactory make_store_;
  std::function<void(const base::ObjectKey&)> on_change_;
  kube::WorkQueue queue_;
  std::map<base::ObjectKey, Entry> entries_;
  std::map<base::ObjectKey, absl::Time> looking_since_;
};

}  // namespace tidegate::operator_
