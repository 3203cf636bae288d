#include "stats/latency_histogram.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace tidegate::stats {
namespace {

bool before(const LatencyBucket& a, const LatencyBucket& b) {
  return std::tie(a.lower_ms, a.upper_ms) < std::tie(b.lower_ms, b.upper_ms);
}

bool same_range(const LatencyBucket& a, const LatencyBucket& b) {
  return a.lower_ms == b.lower_ms && a.upper_ms == b.upper_ms;
}

}  // namespace

void LatencyHistogram::add(double lower_ms, double upper_ms, int64_t count) {
  if (count == 0) return;
  const LatencyBucket added{lower_ms, upper_ms, count};
  const auto at = std::lower_bound(buckets_.begin(), buckets_.end(), added, before);
  if (at != buckets_.end() && same_range(*at, added)) {
    at->count += count;
  } else {
    buckets_.insert(at, added);
  }
  total_ += count;
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  std::vector<LatencyBucket> merged;
  merged.reserve(buckets_.size() + other.buckets_.size());
  std::merge(buckets_.begin(), buckets_.end(), other.buckets_.begin(), other.buckets_.end(), std::back_inserter(merged),
             before);
  buckets_.clear();
  for (const LatencyBucket& bucket : merged) {
    if (!buckets_.empty() && same_range(buckets_.back(), bucket)) {
      buckets_.back().count += bucket.count;
    } else {
      buckets_.push_back(bucket);
    }
  }
  total_ += other.total_;
}

std::optional<LatencyHistogram> LatencyHistogram::since(const LatencyHistogram& earlier) const {
  LatencyHistogram difference;
  auto former = earlier.buckets_.begin();
  for (const LatencyBucket& bucket : buckets_) {
    int64_t count = bucket.count;
    if (former != earlier.buckets_.end() && same_range(*former, bucket)) count -= (former++)->count;
    if (count < 0) return std::nullopt;
    if (count > 0) difference.buckets_.push_back({bucket.lower_ms, bucket.upper_ms, count});
    difference.total_ += count;
  }
  if (former != earlier.buckets_.end()) return std::nullopt;
  return difference;
}

int64_t LatencyHistogram::count_above(double limit_ms, Edge edge) const {
  // A limit that was computed from an edge, 1.2 times 100 ms, is that of the next bucket but for the last digits.
  constexpr double kRounding = 1e-9;
  const double from = limit_ms * (1 - kRounding), to = limit_ms * (1 + kRounding);
  int64_t above = 0;
  for (const LatencyBucket& bucket : buckets_) {
    // A bucket holds latencies in (lower, upper]: with lower == limit all of it is longer than the limit, with
    // upper == limit none of it.
    const bool counts = edge == Edge::kLower ? bucket.lower_ms >= from : bucket.upper_ms > to;
    if (counts) above += bucket.count;
  }
  return above;
}

std::optional<double> LatencyHistogram::quantile(double q, Edge edge) const {
  if (total_ == 0) return std::nullopt;
  const double rank = q * static_cast<double>(total_);
  int64_t seen = 0;
  for (const LatencyBucket& bucket : buckets_) {
    seen += bucket.count;
    if (static_cast<double>(seen) >= rank) return edge == Edge::kLower ? bucket.lower_ms : bucket.upper_ms;
  }
  return edge == Edge::kLower ? buckets_.back().lower_ms : buckets_.back().upper_ms;
}

}  // namespace tidegate::stats
