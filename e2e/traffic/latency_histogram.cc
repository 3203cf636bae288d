#include "e2e/traffic/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace tidegate::traffic_generator {
namespace {
const double kLogStep = std::log(1.01);
}  // namespace

void LatencyHistogram::Add(absl::Duration latency) {
  const double micros = std::max(1.0, absl::ToDoubleMicroseconds(latency));
  ++buckets_[static_cast<int>(std::log(micros) / kLogStep)];
  ++count_;
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  for (const auto& [index, count] : other.buckets_) buckets_[index] += count;
  count_ += other.count_;
}

absl::Duration LatencyHistogram::Quantile(double q) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(q * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (const auto& [index, count] : buckets_) {
    seen += count;
    if (seen >= wanted) return absl::Microseconds(std::exp((index + 0.5) * kLogStep));
  }
  return absl::ZeroDuration();
}

}  // namespace tidegate::traffic_generator
