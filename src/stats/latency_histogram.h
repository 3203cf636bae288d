#pragma once
// Latencies as counts in buckets, kept sparse: only buckets that hold something. A bucket says that its requests took
// more than `lower` and at most `upper` milliseconds and nothing else, so every question has two answers, one for each
// edge; which of both is the safe one depends on what is to be shown. Filled by the observers from gateway statistics,
// read by rollout's latency checks and by quantile_bounds.

#include <cstdint>
#include <optional>
#include <vector>

namespace tidegate::stats {

struct LatencyBucket {
  double lower_ms = 0;  // exclusive
  double upper_ms = 0;  // inclusive; infinity for what is beyond the last edge
  int64_t count = 0;    // > 0

  friend bool operator==(const LatencyBucket&, const LatencyBucket&) = default;
};

// Which end of a bucket stands for its requests.
enum class Edge { kLower, kUpper };

class LatencyHistogram {
 public:
  LatencyHistogram() = default;

  // Adds `count` requests to the bucket (lower, upper]; count 0 changes nothing. Needs 0 <= lower <= upper, count >= 0.
  void add(double lower_ms, double upper_ms, int64_t count);

  // Adds all of another histogram; it may have other buckets.
  void merge(const LatencyHistogram& other);

  // What came in since `earlier`, a former reading of the same cumulative histogram. nullopt if a bucket fell or is
  // gone: the source was reset and the difference means nothing.
  std::optional<LatencyHistogram> since(const LatencyHistogram& earlier) const;

  int64_t total() const { return total_; }
  const std::vector<LatencyBucket>& buckets() const { return buckets_; }  // by (lower, upper), rising

  // Requests that took longer than `limit_ms`. kLower: surely longer, the whole bucket lies above; kUpper: possibly
  // longer, some of the bucket may.
  int64_t count_above(double limit_ms, Edge edge) const;

  // The q-quantile of what was counted (0 < q < 1), as the edge of the bucket in which it lies; nullopt when empty.
  std::optional<double> quantile(double q, Edge edge) const;

  friend bool operator==(const LatencyHistogram&, const LatencyHistogram&) = default;

 private:
  std::vector<LatencyBucket> buckets_;
  int64_t total_ = 0;
};

}  // namespace tidegate::stats
