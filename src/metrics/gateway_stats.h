// What one gateway (Envoy) has counted: the request for its statistics, and the reading of its answer.
//
// The operator scrapes every gateway pod's statistics listener with these. The gateway counts each finished request
// exactly once, under the cluster of the revision that it was sent to and one Outcome, and its whole duration in a
// histogram; traffic::build configures that and both sides share the names below. Parsing is pure, and safe with any
// input: it never reads beyond it, never throws, and its memory is bounded by the input's size.
#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::metrics {

// How a request ended. Every finished request has exactly one, the first that fits:
enum class Outcome {
  kModel,        // the model itself failed: answer marked `x-tidegate-error: model` (its status is 4xx, 5xx or gRPC's)
  kCancelled,    // the client went away first: says nothing about the model
  kTimeout,      // no complete answer within the route's timeout, or gRPC DEADLINE_EXCEEDED
  kReset,        // connection refused or lost, or stream reset, before the answer was complete
  kTooMany,      // 429, or gRPC RESOURCE_EXHAUSTED
  kServerError,  // 5xx, or gRPC UNKNOWN, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS
  kClientError,  // other 4xx, or any other gRPC status but OK
  kOk,
};
inline constexpr size_t kOutcomes = 8;
// "model", "cancelled", "timeout", "reset", "429", "5xx", "4xx", "ok": as in the gateway's statistics.
std::string_view outcome_name(Outcome outcome);

// spec.rollout.analysis.errors: which outcomes, beside kModel, count against a revision.
struct ErrorClasses {
  bool server_error = true;
  bool too_many = true;
  bool timeout = true;
  bool reset = true;
};

// Durations in microseconds in Envoy's native log-linear buckets: two significant decimal digits, so a bucket is 1 %
// (at 9.9) to 10 % (at 1.0) of its lower edge wide. Sparse and sorted; counts are not cumulative over buckets.
struct LatencyBucket {
  double lower = 0;  // µs, inclusive
  double width = 0;  // µs
  uint64_t count = 0;

  friend bool operator==(const LatencyBucket&, const LatencyBucket&) = default;
};

// Of one revision in one gateway, either since the gateway's start or over an interval. `finished` and `ended` are
// counters of their own in the gateway, read within moments of each other: over an interval they may disagree by the
// requests of those moments, and add up again with the next interval.
struct Counters {
  uint64_t finished = 0;                        // requests, whatever came of them
  std::array<uint64_t, kOutcomes - 1> ended{};  // those that did not end well, indexed by Outcome
  std::vector<LatencyBucket> latency;           // of every request that was answered

  uint64_t of(Outcome outcome) const;
  // Requests that say something about the model: all but the cancelled.
  uint64_t total() const;
  // Of total(), those that count as errors: each once, whatever is wrong with it. Never more than total().
  uint64_t errors(const ErrorClasses& classes = {}) const;
  Counters& operator+=(const Counters& other);
  friend bool operator==(const Counters&, const Counters&) = default;
};

struct ClusterStats {
  Counters counters;  // REST and gRPC together
};

struct GatewayScrape {
  // Who answered, given by the caller: the container's id, as the pod's status had it. It may lag behind a restart.
  std::string instance;
  absl::Time asked_at;                           // given by the caller
  absl::Duration uptime;                         // of the process, whole seconds
  std::string applied_version;                   // as traffic/applied_version.h has it; empty: none yet
  std::map<std::string, ClusterStats> clusters;  // by "<namespace>/<name>/<revision>"
};

// The path and query of a scrape. `objects`: "<namespace>/<name>" of those wanted; empty, or more than a request's head
// has room for: every one. Without `histograms` only counters come back.
std::string stats_path(const std::vector<std::string>& objects, bool histograms);

// The largest answer that parse() accepts.
inline constexpr size_t kMaxScrapeBytes = 64u << 20;

// The answer's body; `instance` and `asked_at` are kept with it. Lines that are not ours are skipped. INVALID_ARGUMENT,
// with the offset, for one of ours that does not read; OUT_OF_RANGE for a body that is too large.
absl::StatusOr<GatewayScrape> parse(std::string_view body, std::string instance, absl::Time asked_at);

// What happened between two scrapes of one gateway pod, by revision.
struct Difference {
  std::map<std::string, Counters> clusters;
  bool reset = false;  // another process answered: `clusters` is all that it has counted
};
// Another process: the uptime fell, or the instance differs and the two did not start at the same time. When a process
// started is what tells it apart: its container's id becomes known a while after it, and in that while the first
// answers of a new process carry the old id. A single revision whose counts fell was removed and is back: all that it
// has counted now is its difference. The first look at a gateway tells nothing about when its requests happened; for
// one that is known to have started since, pass an empty `previous` of the same instance.
Difference difference(const GatewayScrape& previous, const GatewayScrape& now);

}  // namespace tidegate::metrics
