#include "e2e/traffic/tally.h"

#include <algorithm>
#include <utility>

namespace tidegate::traffic_generator {
namespace {

const char* Name(Stage stage) {
  switch (stage) {
    case Stage::kWait:
      return "wait";
    case Stage::kConnect:
      return "connect";
    case Stage::kExchange:
      return "exchange";
    case Stage::kAnswered:
      return "answered";
  }
  return "unknown";
}

double Millis(absl::Duration duration) { return static_cast<double>(absl::ToInt64Microseconds(duration)) / 1000; }

template <typename Groups>
nlohmann::json GroupsJson(const Groups& groups) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [key, histogram] : groups) {
    const auto& [revision, version, code, error] = key;
    nlohmann::json group = {{"revision", revision},
                            {"version", version},
                            {"code", code},
                            {"count", histogram.count()},
                            {"p50_ms", Millis(histogram.Quantile(0.50))},
                            {"p95_ms", Millis(histogram.Quantile(0.95))},
                            {"p99_ms", Millis(histogram.Quantile(0.99))}};
    if (!error.empty()) group["error"] = error;
    list.push_back(std::move(group));
  }
  return list;
}

// Latency over all answers of a version, good and bad: what a user of that version waits.
template <typename Groups>
nlohmann::json VersionsJson(const Groups& groups) {
  struct Version {
    uint64_t ok = 0, failed = 0;
    LatencyHistogram latency;
  };
  std::map<std::string, Version> versions;
  for (const auto& [key, histogram] : groups) {
    Version& version = versions[std::get<1>(key)];
    const int code = std::get<2>(key);
    (code >= 200 && code < 300 ? version.ok : version.failed) += histogram.count();
    version.latency.Merge(histogram);
  }
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, version] : versions) {
    object[name] = {{"ok", version.ok},
                    {"failed", version.failed},
                    {"p50_ms", Millis(version.latency.Quantile(0.50))},
                    {"p95_ms", Millis(version.latency.Quantile(0.95))}};
  }
  return object;
}

}  // namespace

std::string Timestamp(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()); }

nlohmann::json ToJson(const Outcome& outcome) {
  nlohmann::json json = {{"request_id", outcome.request_id},
                         {"due", Timestamp(outcome.due)},
                         {"ended", Timestamp(outcome.due + outcome.duration)},
                         {"ms", Millis(outcome.duration)},
                         {"stage", Name(outcome.stage)},
                         {"new_connection", outcome.new_connection},
                         {"code", outcome.code}};
  const auto add = [&json](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  add("error", outcome.error);
  add("revision", outcome.revision);
  add("version", outcome.version);
  add("error_source", outcome.error_source);
  add("excerpt", outcome.excerpt);
  return json;
}

void LineLog::Add(std::string line) {
  lines_.push_back(std::move(line));
  if (lines_.size() <= capacity_) return;
  lines_.pop_front();
  ++first_index_;
}

std::string LineLog::From(uint64_t from) const {
  std::string text;
  for (uint64_t i = from > first_index_ ? from - first_index_ : 0; i < lines_.size(); ++i) text += lines_[i] + "\n";
  return text;
}

std::string Tally::Finished(const Outcome& outcome) {
  ++(outcome.ok() ? ok_ : failed_);
  const Key key(outcome.revision, outcome.version, outcome.code, outcome.error);
  totals_[key].Add(outcome.duration);
  in_second_[key].Add(outcome.duration);
  Span& span = spans_[outcome.version];
  span.first = std::min(span.first, outcome.due);
  span.last = std::max(span.last, outcome.due);
  if (outcome.ok()) return "";
  nlohmann::json json = ToJson(outcome);
  json["type"] = "failure";
  // An answer's excerpt may hold bytes that are not UTF-8.
  std::string line = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  failures_.Add(line);
  return line;
}

std::vector<std::string> Tally::CloseSeconds(absl::Time now) {
  std::vector<std::string> lines;
  while (second_ + absl::Seconds(1) <= now) lines.push_back(CloseSecond());
  return lines;
}

std::string Tally::CloseSecond() {
  uint64_t ok = 0, failed = 0;
  for (const auto& [key, histogram] : in_second_) {
    const int code = std::get<2>(key);
    (code >= 200 && code < 300 ? ok : failed) += histogram.count();
  }
  const nlohmann::json json = {{"type", "second"},
                               {"second", absl::ToUnixSeconds(second_)},
                               {"sent", std::exchange(sent_in_second_, 0)},
                               {"ok", ok},
                               {"failed", failed},
                               {"in_flight", in_flight()},
                               {"versions", VersionsJson(in_second_)},
                               {"groups", GroupsJson(in_second_)}};
  in_second_.clear();
  second_ += absl::Seconds(1);
  std::string line = json.dump();
  seconds_.Add(line);
  return line;
}

nlohmann::json Tally::Totals(absl::Time now) const {
  nlohmann::json versions = VersionsJson(totals_);
  for (const auto& [version, span] : spans_) {
    versions[version]["first_due"] = Timestamp(span.first);
    versions[version]["last_due"] = Timestamp(span.last);
  }
  return {{"type", "totals"},
          {"start", Timestamp(start_)},
          {"now", Timestamp(now)},
          {"sent", sent_},
          {"ok", ok_},
          {"failed", failed_},
          {"in_flight", in_flight()},
          {"next_second", seconds_.next_index()},
          {"next_failure", failures_.next_index()},
          {"versions", std::move(versions)},
          {"groups", GroupsJson(totals_)}};
}

}  // namespace tidegate::traffic_generator
