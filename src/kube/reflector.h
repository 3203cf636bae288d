#pragma once
// Keeps a copy of one collection up to date: drives the state machine of reflector_machine.h with real requests and
// carries the objects to a sink (a Store<T>). main.cc makes one for each collection and spawns run().
//
// No turn of the loop does more than a slice of the work, however large the collection: pages are read on the
// background thread, a complete set becomes visible kCommitSlice objects a turn, and a watch brings what one read of
// its connection holds.
#include <absl/time/time.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/background.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/scope.h"
#include "base/task.h"
#include "kube/client.h"
#include "kube/json.h"
#include "kube/reflector_machine.h"
#include "kube/resource.h"

namespace tidegate::kube {

// Where the objects go. An incomplete set is kept back; nothing of it is visible before begin_commit().
class ReflectorSink {
 public:
  virtual ~ReflectorSink() = default;

  // Objects of one page, read away from the loop.
  class Batch {
   public:
    virtual ~Batch() = default;
    // Any thread, one at a time. The view ends with the call.
    virtual void add(const JsonView& object) = 0;
  };
  // Owns all that add() touches.
  virtual std::unique_ptr<Batch> make_batch() const = 0;
  // One that make_batch() made.
  virtual void keep(Batch& batch) = 0;
  // Views end with the call.
  virtual void keep(const JsonView& object) = 0;
  // Also gives up a commit that is under way: what it has made visible stays.
  virtual void discard_kept() = 0;
  // What was kept is all there is: what is missing in it has been deleted. It becomes visible object by object, by
  // commit_some(); what upsert() and erase() say meanwhile is newer.
  virtual void begin_commit(const std::string& resource_version) = 0;
  // Up to `most` more objects; false once there are none.
  virtual bool commit_some(size_t most) = 0;
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
  // Reads pages; null: the loop does. Must outlive the task of run().
  base::BackgroundThread* background = nullptr;
};

class Reflector {
 public:
  // Objects that become visible in one turn of the loop, each with its indexes and handlers (some microseconds).
  static constexpr size_t kCommitSlice = 250;

  // All references must outlive the task of run().
  Reflector(Client& client, GroupVersionResource resource, ReflectorOptions options, ReflectorSink& sink,
            base::Clock& clock, base::Random& random);

  // Until `scope` ends. Errors are logged and tried again.
  base::Task<void> run(base::Scope& scope);

  // What the sink shows may be older than the caller can live with: asks for the most recent set, now, in place of
  // whatever is in flight. Meanwhile the sink keeps what it has.
  void refresh();
  // Whether the set that the last refresh() asked for is there; true if there was none.
  bool fresh() const { return !refreshing_; }

  const ReflectorState& state() const { return state_; }
  // The error of the last request, OK after one that worked: for /readyz to say why a store is not synced.
  const absl::Status& last_error() const { return last_error_; }

 private:
  // Ends early, with whatever event, when a refresh is asked for.
  base::Task<ReflectorEvent> perform_interruptibly(ReflectorCommand command, base::Scope& scope);
  base::Task<ReflectorEvent> perform(ReflectorCommand command, base::Scope& scope);
  base::Task<ReflectorEvent> request_page(ReflectorRequestPage request, base::Scope& scope);
  base::Task<ReflectorEvent> watch(ReflectorOpenWatch request, base::Scope& scope);
  base::Task<ReflectorEvent> wait(ReflectorWait request, base::Scope& scope);
  // Feeds the machine, lets `objects` take effect, returns the machine's next command.
  std::optional<ReflectorCommand> advance(const ReflectorEvent& event, std::span<const JsonView> objects);
  void take_effect(ReflectorEffect effect, std::span<const JsonView> objects);
  void keep(std::span<const JsonView> objects);
  void begin_commit();
  void commit_more(uint64_t commit);
  void note(const ReflectorEvent& event);
  absl::Duration watch_timeout();

  Client& client_;
  GroupVersionResource resource_;
  ReflectorOptions options_;
  ReflectorSink& sink_;
  base::Clock& clock_;
  base::Random& random_;
  ReflectorState state_;
  std::unique_ptr<ReflectorSink::Batch> page_;  // that request_page() got
  std::optional<boost::asio::any_io_executor> executor_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uint64_t commits_ = 0;            // begun or given up
  base::Scope* request_ = nullptr;  // of what is in flight
  bool refresh_asked_ = false;      // and not yet told to the machine
  bool refreshing_ = false;
  bool commits_the_fresh_ = false;  // the set that is being committed was asked for since
  absl::Status last_error_;
  bool watched_before_ = false;
  bool listed_before_ = false;
};

}  // namespace tidegate::kube
