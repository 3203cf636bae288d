// Counts requests one by one. Pure: the caller says what time it is. `sent == ok + failed + in flight` always holds.
//
// Three views, all JSON, for the program's output and its statistics port:
//   totals    since the start, by version, code and error
//   seconds   one line a second: sent, ok, failed, in flight, and latency by version and code
//   failures  one line a failed request
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "e2e/traffic/latency_histogram.h"
#include "e2e/traffic/outcome.h"
#include "nlohmann/json.hpp"

namespace tidegate::traffic_generator {

// A bounded list of JSON lines that a reader can follow by index.
class LineLog {
 public:
  explicit LineLog(size_t capacity) : capacity_(capacity) {}
  void Add(std::string line);
  // The lines from index `from` on, each ended by a newline. Lines older than the capacity are gone.
  std::string From(uint64_t from) const;
  uint64_t next_index() const { return first_index_ + lines_.size(); }

 private:
  const size_t capacity_;
  uint64_t first_index_ = 0;
  std::deque<std::string> lines_;
};

class Tally {
 public:
  explicit Tally(absl::Time start) : start_(start), second_(absl::FromUnixSeconds(absl::ToUnixSeconds(start))) {}

  void Sent() { ++sent_, ++sent_in_second_; }
  // Returns the failure's line, or "" for an answered request.
  std::string Finished(const Outcome& outcome);
  // Closes the seconds that ended before `now`; returns their lines. Call it at least once a second.
  std::vector<std::string> CloseSeconds(absl::Time now);

  nlohmann::json Totals(absl::Time now) const;
  const LineLog& seconds() const { return seconds_; }
  const LineLog& failures() const { return failures_; }
  uint64_t in_flight() const { return sent_ - ok_ - failed_; }

 private:
  // Revision, version, code and error text.
  using Key = std::tuple<std::string, std::string, int, std::string>;
  using Groups = std::map<Key, LatencyHistogram>;

  std::string CloseSecond();

  const absl::Time start_;
  absl::Time second_;  // the one being counted
  uint64_t sent_ = 0, ok_ = 0, failed_ = 0;
  uint64_t sent_in_second_ = 0;
  Groups totals_, in_second_;
  struct Span {
    absl::Time first = absl::InfiniteFuture(), last = absl::InfinitePast();
  };
  std::map<std::string, Span> spans_;  // by version: when its first and last request were due
  LineLog seconds_{7200}, failures_{50000};
};

// UTC with milliseconds, as in 2026-11-21T08:00:00.123Z.
std::string Timestamp(absl::Time time);
nlohmann::json ToJson(const Outcome& outcome);

}  // namespace tidegate::traffic_generator
