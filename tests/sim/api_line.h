#pragma once
// One replica's way to the API server. Requests and answers take time, may get lost, may arrive long after the replica
// has given them up; a watch brings its events in order, late, or not for a while.
//
//   replica's loop ── request ──► latency, faults ──► FakeApiServer (the world's loop) ── answer ──► replica's loop
#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "kube/fake_api_server.h"
#include "sim/context.h"

namespace tidegate::sim {

class ApiLine;

// The oldest state of the world that a request may rest on: what had not reached the replica cannot be known to it, but
// whoever decides has looked since it took the lease. Requests that a replica sends for one object at the very instant
// at which its last one for that object was answered belong to the same round: they rest on what the first did.
struct Round {
  absl::Time pods;      // its view of serving pods
  absl::Time gateways;  // of gateway pods
  absl::Time models;    // of ModelDeployments
};

enum class CrashPoint { kNone, kBeforeWrite, kAfterWrite };

// One request on its way.
struct Exchange {
  uint64_t id = 0;
  ApiLine* line = nullptr;  // null: the replica has given it up, or is no more
  std::string replica;      // its identity in the lease
  net::HttpRequest request;
  std::string object;  // "<namespace>/<name>" of the ModelDeployment it is about; empty: none
  bool is_write = false;
  bool is_watch = false;
  absl::Time sent;
  // Of the lease. A write may arrive when its sender has lost the lease and taken it again.
  std::string holder_when_sent;
  int64_t epoch_when_sent = 0;
  Round round;
  CrashPoint crash = CrashPoint::kNone;

  base::Promise<kube::FakeApiServer::Answer> done;
  base::Scope server_scope;
  std::function<bool(std::string_view)> forward;  // of a watch: what the server calls
  // Of a watch: when that happened which the server has sent and which is not there yet.
  std::deque<absl::Time> under_way;
  absl::Time last_arrival;
  absl::Time seen_before;                            // what the replica knew when it opened it
  absl::Time arrived = absl::InfiniteFuture();       // at the server, which then sends what was missed
  absl::Time silent_since = absl::InfiniteFuture();  // the server sends nothing more, or it does not get there
  // Of a list: the moment of which it tells. InfiniteFuture: that of the answer.
  absl::Time as_of = absl::InfiniteFuture();
  bool dead = false;    // its connection is gone; the replica will notice
  bool closed = false;  // the server has ended it; what was sent before still arrives
};

// What the server has at hand at this moment, by the id that the request carries.
struct Exchanges {
  uint64_t next_id = 1;
  std::map<uint64_t, std::shared_ptr<Exchange>> at_server;

  // Null: the request is none of a replica's.
  std::shared_ptr<Exchange> find(const net::HttpRequest& request) const;
};

// What the network does to this replica at present.
struct LineFaults {
  bool cut = false;
  double lose_request = 0;
  double lose_answer = 0;
  double delay_long = 0;                           // a request is under way for up to 40 s
  absl::Time frozen_until = absl::InfinitePast();  // watches bring nothing
  std::string frozen;                              // of this collection, whose lists are late, too; empty: of all
  absl::Time behind_until = absl::InfinitePast();  // its API server lists what was there at
  absl::Time behind_since;                         // unless it is asked for the most recent state
};

// Who holds the lease, since when.
struct LeaseHolder {
  std::string identity;
  absl::Time since;
  int64_t epoch = 0;  // leaseTransitions
};

class ApiLine : public net::HttpClient {
 public:
  struct Server {
    kube::FakeApiServer& api;
    base::Loop& loop;
    Exchanges& exchanges;
    std::function<LeaseHolder()> lease_holder;
  };
  ApiLine(Context& context, Server server, base::Loop& loop, base::Clock& clock, std::string replica)
      : context_(context), server_(std::move(server)), loop_(loop), clock_(clock), replica_(std::move(replica)) {}

  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope& scope) override;

  const std::string& replica() const { return replica_; }
  // Up to when it has seen what happened to ModelDeployments.
  absl::Time models_seen() const;
  LineFaults faults;
  // The next write of the replica ends its process, before or after it takes effect.
  CrashPoint crash_at_next_write = CrashPoint::kNone;
  // Until `until` it is connected to an API server that has cached what was there at `since`; every watch ends with
  // 410.
  void travel_to(absl::Time since, absl::Time until);
  // The connections of all watches break, or the server ends them with an ERROR event of this code.
  void break_watches();
  void fail_watches(int code, const std::string& reason);
  void cut(bool cut);
  // The process is no more: everything that it still asks for fails at once. What is on the wire may still arrive.
  void die();

 private:
  using Pointer = std::shared_ptr<Exchange>;
  Pointer begin(net::HttpRequest request);
  void send(const Pointer& exchange);
  void arrive(const Pointer& exchange);
  void answer(const Pointer& exchange, kube::FakeApiServer::Answer answer);
  void deliver_chunk(const Pointer& exchange, std::string bytes);
  void fail_after(const Pointer& exchange, absl::Duration delay, const std::string& why);
  void finish(const Pointer& exchange, bool succeeded);
  absl::Duration latency();
  absl::Time seen_through(const Exchange& watch) const;
  absl::Time view_of(const std::string& collection) const;
  Round round_of(const Exchange& exchange) const;

  static base::Task<void> serve(kube::FakeApiServer& api, Exchanges& exchanges, Pointer exchange);

  Context& context_;
  Server server_;
  base::Loop& loop_;
  base::Clock& clock_;
  const std::string replica_;
  bool dead_ = false;
  std::vector<Pointer> open_;
  std::map<std::string, absl::Time> seen_until_;  // by collection, by the watches and lists that have ended
  struct Ended {
    absl::Time at;
    Round round;
  };
  std::map<std::string, Ended> last_ended_;  // by object
};

}  // namespace tidegate::sim
