#include "metrics/gateway_stats.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/status.h"

namespace tidegate::metrics {
namespace {

constexpr std::array<std::string_view, kOutcomes> kOutcomeNames = {"model", "cancelled", "timeout", "reset",
                                                                   "429",   "5xx",       "4xx",     "ok"};

constexpr std::string_view kRequests = "tidegate.requests.cluster.";
constexpr std::string_view kEnded = "tidegate.ended.cluster.";
constexpr std::string_view kLatency = "tidegate.latency.cluster.";
constexpr std::string_view kOutcomeTag = ".outcome.";
// Of traffic::kVersionCluster.
constexpr std::string_view kAppliedVersion = "cluster.tidegate/version.version_text";
constexpr std::string_view kUptime = "server.uptime";
constexpr std::string_view kTotals = "  totals=";
constexpr std::string_view kGrpc = "/grpc";
// Bytes. Envoy reads 60 KiB of a request's head; each '/' takes three bytes there.
constexpr size_t kMostNames = 40 << 10;

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

std::string percent_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      out += static_cast<char>(c);
    } else {
      out += {'%', kDigits[c >> 4], kDigits[c & 15]};
    }
  }
  return out;
}

void add_buckets(std::vector<LatencyBucket>& into, const std::vector<LatencyBucket>& more) {
  std::vector<LatencyBucket> sum;
  sum.reserve(into.size() + more.size());
  auto a = into.begin();
  auto b = more.begin();
  while (a != into.end() || b != more.end()) {
    if (b == more.end() || (a != into.end() && a->lower < b->lower)) {
      sum.push_back(*a++);
    } else if (a == into.end() || b->lower < a->lower) {
      sum.push_back(*b++);
    } else {
      sum.push_back(*a++);
      sum.back().count += (b++)->count;
    }
  }
  into = std::move(sum);
}

// Reads the answer line by line. Every failure names the offset of its line.
class Reader {
 public:
  explicit Reader(std::string_view body) : body_(body) {}

  absl::Status read(GatewayScrape& scrape) {
    while (next_line()) TG_RETURN_IF_ERROR(read_line(scrape));
    return absl::OkStatus();
  }

 private:
  bool next_line() {
    if (offset_ >= body_.size()) return false;
    line_begin_ = offset_;
    const size_t end = std::min(body_.find('\n', offset_), body_.size());
    line_ = body_.substr(offset_, end - offset_);
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    offset_ = end + 1;
    return true;
  }

  absl::Status fault(std::string_view what) const {
    return absl::InvalidArgumentError(base::cat("gateway statistics, at byte ", line_begin_, ": ", what));
  }

  absl::Status read_line(GatewayScrape& scrape) {
    // Statistics' names hold no blank, and what belongs to a histogram begins with one.
    const size_t colon = line_.find(": ");
    const bool is_header = colon == std::string_view::npos && line_.ends_with(':');
    if (colon == std::string_view::npos && !is_header) return absl::OkStatus();
    std::string_view name = line_.substr(0, is_header ? line_.size() - 1 : colon);
    const std::string_view value = is_header ? std::string_view() : line_.substr(colon + 2);
    if (take_prefix(name, kLatency)) return read_latency(scrape, name, is_header);
    if (is_header) return absl::OkStatus();
    if (take_prefix(name, kRequests)) return read_finished(scrape, name, value);
    if (take_prefix(name, kEnded)) return read_ended(scrape, name, value);
    if (name == kAppliedVersion) return read_applied_version(scrape, value);
    if (name == kUptime) return read_uptime(scrape, value);
    return absl::OkStatus();
  }

  // The revision of a cluster's name, both protocols together; null if the cluster is none of ours.
  static ClusterStats* find_cluster(GatewayScrape& scrape, std::string_view cluster) {
    auto slashes = std::count(cluster.begin(), cluster.end(), '/');
    if (slashes == 3 && cluster.ends_with(kGrpc)) {
      cluster.remove_suffix(kGrpc.size());
      --slashes;
    }
    return slashes == 2 ? &scrape.clusters[std::string(cluster)] : nullptr;
  }

  absl::Status read_finished(GatewayScrape& scrape, std::string_view cluster, std::string_view value) {
    uint64_t count = 0;
    if (!read_number(value, count)) return fault("a count is not a number");
    ClusterStats* stats = find_cluster(scrape, cluster);
    if (stats != nullptr) stats->counters.finished += count;
    return absl::OkStatus();
  }

  absl::Status read_ended(GatewayScrape& scrape, std::string_view name, std::string_view value) {
    const size_t tag = name.rfind(kOutcomeTag);
    if (tag == std::string_view::npos) return fault("a count has no outcome");
    const std::string_view outcome = name.substr(tag + kOutcomeTag.size());
    const auto known = std::find(kOutcomeNames.begin(), kOutcomeNames.end(), outcome);
    if (known == kOutcomeNames.end()) return fault(base::cat("unknown outcome '", outcome.substr(0, 32), "'"));
    uint64_t count = 0;
    if (!read_number(value, count)) return fault("a count is not a number");
    ClusterStats* stats = find_cluster(scrape, name.substr(0, tag));
    const auto index = static_cast<size_t>(known - kOutcomeNames.begin());
    if (stats != nullptr && index < stats->counters.ended.size()) stats->counters.ended[index] += count;
    return absl::OkStatus();
  }

  // A header line, then a line of totals, and lines that do not matter. "No recorded values" instead when empty.
  absl::Status read_latency(GatewayScrape& scrape, std::string_view cluster, bool is_header) {
    if (!is_header) return absl::OkStatus();
    ClusterStats* stats = find_cluster(scrape, cluster);
    if (!next_line() || !take_prefix(line_, kTotals)) return fault("a histogram has no totals");
    std::vector<LatencyBucket> buckets;
    while (!line_.empty()) {
      std::string_view item = line_.substr(0, line_.find(", "));
      line_.remove_prefix(std::min(line_.size(), item.size() + 2));
      LatencyBucket bucket;
      if (!read_bucket(item, bucket)) return fault("a histogram's bucket does not read as lower,width:count");
      if (!buckets.empty() && bucket.lower <= buckets.back().lower) return fault("a histogram's buckets do not rise");
      buckets.push_back(bucket);
    }
    if (stats != nullptr) add_buckets(stats->counters.latency, buckets);
    return absl::OkStatus();
  }

  static bool read_bucket(std::string_view item, LatencyBucket& bucket) {
    const size_t comma = item.find(',');
    const size_t colon = item.find(':');
    if (comma == std::string_view::npos || colon == std::string_view::npos || colon < comma) return false;
    return read_number(item.substr(0, comma), bucket.lower) &&
           read_number(item.substr(comma + 1, colon - comma - 1), bucket.width) &&
           read_number(item.substr(colon + 1), bucket.count) && bucket.lower >= 0 && bucket.width >= 0 &&
           bucket.lower + bucket.width <= std::numeric_limits<double>::max();
  }

  absl::Status read_applied_version(GatewayScrape& scrape, std::string_view value) {
    if (value.size() < 2 || value.front() != '"' || value.back() != '"') return fault("the applied version is no text");
    scrape.applied_version = std::string(value.substr(1, value.size() - 2));
    return absl::OkStatus();
  }

  absl::Status read_uptime(GatewayScrape& scrape, std::string_view value) {
    int64_t seconds = 0;
    if (!read_number(value, seconds) || seconds < 0) return fault("the uptime is not a number of seconds");
    scrape.uptime = absl::Seconds(seconds);
    return absl::OkStatus();
  }

  const std::string_view body_;
  size_t offset_ = 0;
  size_t line_begin_ = 0;
  std::string_view line_;
};

// now − before for every bucket; false if one fell.
bool subtract_buckets(const std::vector<LatencyBucket>& before, const std::vector<LatencyBucket>& now,
                      std::vector<LatencyBucket>& out) {
  auto old = before.begin();
  for (const LatencyBucket& bucket : now) {
    if (old != before.end() && old->lower < bucket.lower) return false;
    uint64_t known = 0;
    if (old != before.end() && old->lower == bucket.lower) known = (old++)->count;
    if (bucket.count < known) return false;
    if (bucket.count > known) out.push_back({bucket.lower, bucket.width, bucket.count - known});
  }
  return old == before.end();
}

// now − before; false if any count fell.
bool subtract(const Counters& before, const Counters& now, Counters& out) {
  if (now.finished < before.finished) return false;
  out.finished = now.finished - before.finished;
  for (size_t i = 0; i < now.ended.size(); ++i) {
    if (now.ended[i] < before.ended[i]) return false;
    out.ended[i] = now.ended[i] - before.ended[i];
  }
  // A scrape without histograms has none, and one after it has nothing to be subtracted from.
  const bool has_base = !before.latency.empty() || before.total() == 0;
  return now.latency.empty() || !has_base || subtract_buckets(before.latency, now.latency, out.latency);
}

// Ages are rounded down to whole seconds, and an answer takes a while after it was asked for.
constexpr absl::Duration kStartTolerance = absl::Seconds(2);

bool same_process(const GatewayScrape& previous, const GatewayScrape& now) {
  if (now.uptime < previous.uptime) return false;
  if (previous.instance == now.instance) return true;
  const absl::Duration apart = (now.asked_at - now.uptime) - (previous.asked_at - previous.uptime);
  return absl::AbsDuration(apart) <= kStartTolerance;
}

uint64_t saturating_subtract(uint64_t from, uint64_t what) { return from > what ? from - what : 0; }

}  // namespace

std::string_view outcome_name(Outcome outcome) { return kOutcomeNames[static_cast<size_t>(outcome)]; }

uint64_t Counters::of(Outcome outcome) const {
  if (outcome != Outcome::kOk) return ended[static_cast<size_t>(outcome)];
  uint64_t good = finished;
  for (const uint64_t count : ended) good = saturating_subtract(good, count);
  return good;
}

uint64_t Counters::total() const { return saturating_subtract(finished, of(Outcome::kCancelled)); }

uint64_t Counters::errors(const ErrorClasses& classes) const {
  uint64_t count = of(Outcome::kModel);
  if (classes.server_error) count += of(Outcome::kServerError);
  if (classes.too_many) count += of(Outcome::kTooMany);
  if (classes.timeout) count += of(Outcome::kTimeout);
  if (classes.reset) count += of(Outcome::kReset);
  return std::min(count, total());
}

Counters& Counters::operator+=(const Counters& other) {
  finished += other.finished;
  for (size_t i = 0; i < ended.size(); ++i) ended[i] += other.ended[i];
  add_buckets(latency, other.latency);
  return *this;
}

std::string stats_path(const std::vector<std::string>& objects, bool histograms) {
  std::string names;
  for (const std::string& object : objects) names += base::cat(names.empty() ? "" : "|", object);
  const std::string wanted = objects.empty() || names.size() > kMostNames ? "" : base::cat("(", names, ")/");
  const std::string filter =
      base::cat(R"(^(tidegate\.(requests|ended)", histograms ? "|latency" : "", R"()\.cluster\.)", wanted,
                R"(|cluster\.tidegate/version\.version_text$|server\.uptime$))");
  return base::cat("/stats?filter=", percent_encode(filter), histograms ? "&histogram_buckets=detailed" : "");
}

absl::StatusOr<GatewayScrape> parse(std::string_view body, std::string instance, absl::Time asked_at) {
  if (body.size() > kMaxScrapeBytes) {
    return absl::OutOfRangeError(
        base::cat("gateway statistics of ", body.size(), " bytes; at most ", kMaxScrapeBytes, " are read"));
  }
  GatewayScrape scrape;
  scrape.instance = std::move(instance);
  scrape.asked_at = asked_at;
  TG_RETURN_IF_ERROR(Reader(body).read(scrape));
  return scrape;
}

Difference difference(const GatewayScrape& previous, const GatewayScrape& now) {
  Difference result;
  result.reset = !same_process(previous, now);
  for (const auto& [name, stats] : now.clusters) {
    const auto before = result.reset ? previous.clusters.end() : previous.clusters.find(name);
    Counters change;
    const bool continues =
        before != previous.clusters.end() && subtract(before->second.counters, stats.counters, change);
    result.clusters[name] = continues ? std::move(change) : stats.counters;
  }
  return result;
}

}  // namespace tidegate::metrics
