#pragma once
// Turns the stores into the snapshot that this replica's xDS server hands out. Runs on every replica, leader or not.
//
//   store event ─► changed(object) ─► a moment's wait for more ─► make_program() of those ─► traffic::build
//                                                                                       ─► xds::Server::publish
//
// When nothing changes it sleeps until a store could be stale. It looks each second while something is unfinished: a
// proxy waits for this replica to catch up, or a part of the last snapshot is to reach the proxies before the rest.
//
// Nothing is published before all stores are synced. A store that has been silent for too long may be wrong, so then
// the server is told to withdraw: proxies keep what they have and go to another replica.
#include <absl/time/time.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"
#include "operator/stores.h"
#include "traffic/build.h"
#include "xds/server.h"

namespace tidegate::operator_ {

struct PublisherMetrics {
  uint64_t builds = 0;
  uint64_t withdrawals = 0;
  uint64_t rebuilt = 0;       // objects whose resources were made anew
  absl::Duration last_build;  // how long the last traffic::build took
};

class TrafficPublisher {
 public:
  // A change waits so long for others, or four times as long as the last build took.
  static constexpr absl::Duration kDebounce = absl::Milliseconds(20);
  // So far apart are two snapshots at least: while many objects move, one message tells a proxy of several. The change
  // of an object that moves alone does not wait for it.
  static constexpr absl::Duration kApart = absl::Milliseconds(50);
  // Bookmarks come about every minute. A watch that breaks just before one, is opened again after a backoff and waits
  // for the next has been silent for up to two of them, and is not stale.
  static constexpr absl::Duration kStaleAfter = absl::Seconds(150);

  // All references must outlive it. `on_errors`: the object's ProgramError came, changed or went.
  TrafficPublisher(const Stores& stores, xds::Server& server, base::Clock& clock, std::string cluster_domain,
                   std::function<void(const base::ObjectKey&)> on_errors);

  // The object, or one of its serving pods, came, changed or went.
  void changed(const base::ObjectKey& key);
  // The server's status did: a proxy may wait for us to catch up.
  void proxies_changed();
  base::Task<void> run(base::Scope& scope);

  // Whether proxies are being answered.
  bool serving() const { return serving_; }
  // What could not be programmed as the object asks; nullopt: nothing.
  std::optional<traffic::ProgramError> error_of(const base::ObjectKey& key) const;
  const PublisherMetrics& metrics() const { return metrics_; }

 private:
  absl::Duration debounce() const;
  bool unfinished() const;
  absl::Duration until_next_look();
  void look(bool ticked);
  absl::Duration silence() const;
  bool stale() const;
  void update_programs();
  void update_program(const base::ObjectKey& key);
  void publish();
  void note_errors(const std::vector<traffic::ProgramError>& errors);

  const Stores& stores_;
  xds::Server& server_;
  base::Clock& clock_;
  traffic::Settings settings_;
  std::function<void(const base::ObjectKey&)> on_errors_;
  base::Signal signal_;
  std::set<base::ObjectKey> changed_;  // since the last build
  traffic::Programs programs_;
  std::optional<traffic::BuildResult> built_;
  absl::Duration published_at_ = -absl::InfiniteDuration();  // uptime
  std::map<base::ObjectKey, traffic::ProgramError> errors_;
  bool serving_ = false;
  bool ticking_ = false;  // looks each second, or more often
  PublisherMetrics metrics_;
};

}  // namespace tidegate::operator_
