#pragma once
// Keeps a copy of one collection up to date: drives the state machine of reflector_machine.h with real requests and
// carries the objects to a sink (a Store<T>). main.cc makes one for each collection and spawns run().
#include <absl/time/time.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "kube/json.h"
#include "kube/reflector_machine.h"
#include "kube/resource.h"

namespace tidegate::kube {

// Where the objects go. An incomplete set is kept back and becomes visible at once by commit().
class ReflectorSink {
 public:
  virtual ~ReflectorSink() = default;
  // Views end with the call.
  virtual void keep(const JsonView& object) = 0;
  virtual void discard_kept() = 0;
  // What was kept is all there is: what is missing in it has been deleted.
  virtual void commit(const std::string& resource_version) = 0;
  virtual void upsert(const JsonView& object) = 0;
  virtual void erase(const JsonView& object) = 0;
  virtual void progress(const std::string& resource_version) = 0;
};

struct ReflectorOptions {
  std::string ns;  // empty: all namespaces
  std::string label_selector;
  std::string field_selector;
  // Of each object only its metadata is sent, for collections that are only counted or looked up by name and label: the
  // sink's decoder sees kind PartialObjectMetadata.
  bool metadata_only = false;
  // WatchList (one streaming request) instead of list and watch; falls back by itself where the server refuses it.
  bool use_watch_list = false;
  // The server is asked to end each watch after a random time between these, so that reconnects spread.
  absl::Duration watch_timeout_min = absl::Minutes(5);
  absl::Duration watch_timeout_max = absl::Minutes(10);
};

class Reflector {
 public:
  // All references must outlive the task of run().
  Reflector(Client& client, GroupVersionResource resource, ReflectorOptions options, ReflectorSink& sink,
            base::Clock& clock, base::Random& random);

  // Until `scope` ends. Errors are logged and tried again.
  base::Task<void> run(base::Scope& scope);

  const ReflectorState& state() const { return state_; }
  // The error of the last request, OK after one that worked: for /readyz to say why a store is not synced.
  const absl::Status& last_error() const { return last_error_; }

 private:
  base::Task<ReflectorEvent> perform(ReflectorCommand command, base::Scope& scope);
  base::Task<ReflectorEvent> request_page(ReflectorRequestPage request, base::Scope& scope);
  base::Task<ReflectorEvent> watch(ReflectorOpenWatch request, base::Scope& scope);
  base::Task<ReflectorEvent> wait(ReflectorWait request, base::Scope& scope);
  // Feeds the machine, lets `objects` take effect, returns the machine's next command.
  std::optional<ReflectorCommand> advance(const ReflectorEvent& event, std::span<const JsonView> objects);
  void take_effect(ReflectorEffect effect, std::span<const JsonView> objects);
  void note(const ReflectorEvent& event);
  absl::Duration watch_timeout();

  Client& client_;
  GroupVersionResource resource_;
  ReflectorOptions options_;
  ReflectorSink& sink_;
  base::Clock& clock_;
  base::Random& random_;
  ReflectorState state_;
  ListDocument page_;  // that request_page() got
  absl::Status last_error_;
  bool watched_before_ = false;
  bool listed_before_ = false;
};

}  // namespace tidegate::kube
