#include "operator/observers/measurement_ledger.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "api/json.h"
#include "base/status.h"
#include "base/strings.h"
#include "kube/json.h"
#include "traffic/program.h"

namespace tidegate::operator_ {
namespace {

using kube::Json;
using metrics::Counters;
using metrics::GatewayScrape;

GatewayScrape only(const GatewayScrape& scrape, const std::string& stable, const std::string& canary) {
  GatewayScrape trimmed{scrape.instance, scrape.asked_at, scrape.uptime, scrape.applied_version, {}};
  for (const std::string& cluster : {stable, canary}) {
    auto found = scrape.clusters.find(cluster);
    // A cluster that has had no request is not in the answer: it has counted nothing.
    trimmed.clusters[cluster] = found == scrape.clusters.end() ? metrics::ClusterStats{} : found->second;
  }
  return trimmed;
}

rollout::ArmMeasurement to_arm(const Counters& counters) {
  rollout::ArmMeasurement arm;
  arm.requests = static_cast<int64_t>(counters.total());
  arm.errors.http_5xx = static_cast<int64_t>(counters.of(metrics::Outcome::kServerError));
  arm.errors.http_429 = static_cast<int64_t>(counters.of(metrics::Outcome::kTooMany));
  arm.errors.timeout = static_cast<int64_t>(counters.of(metrics::Outcome::kTimeout));
  arm.errors.reset = static_cast<int64_t>(counters.of(metrics::Outcome::kReset));
  arm.errors.model = static_cast<int64_t>(counters.of(metrics::Outcome::kModel));
  for (const metrics::LatencyBucket& bucket : counters.latency) {
    // The gateway's buckets include their lower edge, ours do not.
    const double lower_ms = std::nextafter(bucket.lower / 1000, 0.0);
    arm.latency.add(lower_ms, (bucket.lower + bucket.width) / 1000, static_cast<int64_t>(bucket.count));
  }
  return arm;
}

Json counters_to_json(const Counters& counters) {
  Json latency = Json::array();
  for (const auto& bucket : counters.latency) latency.push_back({bucket.lower, bucket.width, bucket.count});
  return {{"finished", counters.finished}, {"ended", counters.ended}, {"latency", latency}};
}

// Throws nlohmann's exceptions; restore() catches them.
Counters counters_from_json(const Json& json) {
  Counters counters;
  counters.finished = json.at("finished").get<uint64_t>();
  counters.ended = json.at("ended").get<decltype(counters.ended)>();
  for (const Json& bucket : json.at("latency")) {
    counters.latency.push_back({bucket.at(0).get<double>(), bucket.at(1).get<double>(), bucket.at(2).get<uint64_t>()});
  }
  return counters;
}

Json scrape_to_json(const GatewayScrape& scrape) {
  Json clusters = Json::object();
  for (const auto& [name, stats] : scrape.clusters) clusters[name] = counters_to_json(stats.counters);
  return {{"instance", scrape.instance},
          {"askedAt", api::format_time(scrape.asked_at)},
          {"uptimeSeconds", absl::ToInt64Seconds(scrape.uptime)},
          {"clusters", clusters}};
}

absl::StatusOr<GatewayScrape> scrape_from_json(const Json& json) {
  GatewayScrape scrape;
  scrape.instance = json.at("instance").get<std::string>();
  TG_ASSIGN_OR_RETURN(scrape.asked_at, api::parse_time(json.at("askedAt").get<std::string>()));
  scrape.uptime = absl::Seconds(json.at("uptimeSeconds").get<int64_t>());
  for (const auto& [name, counters] : json.at("clusters").items()) {
    scrape.clusters[name].counters = counters_from_json(counters);
  }
  return scrape;
}

}  // namespace

bool MeasurementLedger::open(const base::ObjectKey& object, const MeasurementWindow& window) {
  auto known = entries_.find(object);
  if (known != entries_.end() && known->second.window == window) return false;
  Entry entry;
  entry.window = window;
  entries_.insert_or_assign(object, std::move(entry));
  return true;
}

bool MeasurementLedger::is_open(const base::ObjectKey& object, const MeasurementWindow& window) const {
  auto known = entries_.find(object);
  return known != entries_.end() && known->second.window == window;
}

void MeasurementLedger::mark_dirty(const base::ObjectKey& object) {
  if (auto known = entries_.find(object); known != entries_.end()) known->second.dirty = true;
}

std::vector<std::string> MeasurementLedger::objects() const {
  std::vector<std::string> objects;
  for (const auto& [key, entry] : entries_) objects.push_back(key.to_string());
  return objects;
}

std::vector<std::string> MeasurementLedger::objects_without_base_line(const std::string& pod) const {
  std::vector<std::string> objects;
  for (const auto& [key, entry] : entries_) {
    if (!entry.gateways.contains(pod)) objects.push_back(key.to_string());
  }
  return objects;
}

bool MeasurementLedger::lacks_base_line(const std::string& pod) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const auto& entry) { return !entry.second.gateways.contains(pod); });
}

void MeasurementLedger::absorb(const std::string& pod, const std::vector<std::string>& objects,
                               const metrics::GatewayScrape& scrape) {
  // A window that was opened after the scrape was asked for is not in the answer.
  for (const std::string& object : objects) {
    const size_t slash = object.find('/');
    const auto found = entries_.find({object.substr(0, slash), object.substr(slash + 1)});
    if (found == entries_.end() || scrape.asked_at < found->second.window.from) continue;
    absorb_into(found->first, found->second, pod, scrape);
  }
}

void MeasurementLedger::absorb_into(const base::ObjectKey& object, Entry& entry, const std::string& pod,
                                    const metrics::GatewayScrape& scrape) {
  const std::string stable = traffic::cluster_name(object.ns, object.name, entry.window.stable);
  const std::string canary = traffic::cluster_name(object.ns, object.name, entry.window.canary);
  GatewayScrape now = only(scrape, stable, canary);
  auto known = entry.gateways.find(pod);
  if (known == entry.gateways.end()) {
    // The age is in whole seconds, rounded down.
    const bool started_since = scrape.asked_at - scrape.uptime - absl::Seconds(1) >= entry.window.from;
    GatewayScrape base_line = now;
    if (started_since) base_line = only(GatewayScrape{scrape.instance, {}, {}, {}, {}}, stable, canary);
    known = entry.gateways.emplace(pod, Gateway{std::move(base_line)}).first;
  }
  const metrics::Difference difference = metrics::difference(known->second.last, now);
  auto add = [&](const std::string& cluster, Counters& arm) {
    auto found = difference.clusters.find(cluster);
    if (found != difference.clusters.end()) arm += found->second;
  };
  add(stable, entry.arms.stable);
  add(canary, entry.arms.canary);
  known->second.last = std::move(now);
  entry.until = std::max(entry.until.value_or(scrape.asked_at), scrape.asked_at);
  entry.dirty = true;
}

std::optional<rollout::Measurements> MeasurementLedger::measurements(const base::ObjectKey& object) const {
  auto found = entries_.find(object);
  if (found == entries_.end() || !found->second.until) return std::nullopt;
  const Entry& entry = found->second;
  return rollout::Measurements{entry.window.canary, entry.window.from, *entry.until, to_arm(entry.arms.stable),
                               to_arm(entry.arms.canary)};
}

bool MeasurementLedger::dirty(const base::ObjectKey& object) const {
  auto found = entries_.find(object);
  return found != entries_.end() && found->second.dirty;
}

std::string MeasurementLedger::evidence(const base::ObjectKey& object) {
  Entry& entry = entries_.at(object);
  entry.dirty = false;
  Json gateways = Json::object();
  for (const auto& [pod, gateway] : entry.gateways) gateways[pod] = scrape_to_json(gateway.last);
  Json json = {
      {"stable", entry.window.stable},
      {"canary", entry.window.canary},
      {"from", api::format_time(entry.window.from)},
      {"counts", {{"stable", counters_to_json(entry.arms.stable)}, {"canary", counters_to_json(entry.arms.canary)}}},
      {"gateways", gateways}};
  if (entry.until) json["until"] = api::format_time(*entry.until);
  return kube::dump_json(json);
}

absl::Status MeasurementLedger::restore(const base::ObjectKey& object, const std::string& evidence) {
  auto found = entries_.find(object);
  if (found == entries_.end() || found->second.until) return absl::OkStatus();
  TG_ASSIGN_OR_RETURN(const Json json, kube::parse_json(evidence, "evidence"));
  try {
    Entry entry;
    entry.window = {json.at("stable").get<std::string>(), json.at("canary").get<std::string>(), {}};
    TG_ASSIGN_OR_RETURN(entry.window.from, api::parse_time(json.at("from").get<std::string>()));
    if (entry.window != found->second.window) return absl::OkStatus();  // of an earlier step
    if (json.contains("until")) {
      TG_ASSIGN_OR_RETURN(entry.until, api::parse_time(json.at("until").get<std::string>()));
    }
    entry.arms.stable = counters_from_json(json.at("counts").at("stable"));
    entry.arms.canary = counters_from_json(json.at("counts").at("canary"));
    for (const auto& [pod, scrape] : json.at("gateways").items()) {
      TG_ASSIGN_OR_RETURN(entry.gateways[pod].last, scrape_from_json(scrape));
    }
    found->second = std::move(entry);
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(base::cat("evidence of ", object.to_string(), ": ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace tidegate::operator_
