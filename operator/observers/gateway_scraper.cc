#include "operator/observers/gateway_scraper.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {
namespace {

constexpr absl::Duration kCountsPeriod = absl::Seconds(5);
// Of many windows that open at about the same time, one request takes the base lines.
constexpr absl::Duration kBaseLinesTogether = absl::Milliseconds(100);
constexpr absl::Duration kUnconfirmedPeriod = absl::Seconds(1);
// What a proxy tells this replica by itself is not asked for.
constexpr absl::Duration kAcknowledgedWithin = absl::Milliseconds(250);
constexpr absl::Duration kIdlePeriod = absl::Seconds(30);
constexpr absl::Duration kTimeout = absl::Seconds(4);

// When each kind is due, from now on.
struct Due {
  absl::Duration counts = absl::InfiniteDuration();
  absl::Duration base_lines = absl::InfiniteDuration();
  absl::Duration versions = absl::InfiniteDuration();
};

Due due_in(const ScrapeState& state) {
  Due due;
  due.versions = kIdlePeriod - state.since_versions;
  if (state.measuring) due.counts = kCountsPeriod - state.since_counts;
  if (state.base_line_wanted) due.base_lines = kBaseLinesTogether - state.since_versions;
  if (state.unconfirmed_for) {
    due.versions = std::min(due.versions, std::max(kUnconfirmedPeriod - state.since_versions,
                                                   kAcknowledgedWithin - *state.unconfirmed_for));
  }
  return due;
}

// Asks for the applied version alone: no object has this name.
const std::vector<std::string>& no_objects() {
  static const std::vector<std::string> none{"-/-"};
  return none;
}

}  // namespace

std::string container_id(const kube::Pod& pod) {
  for (const kube::ContainerStatus& container : pod.containers) {
    if (!container.init) return container.container_id;
  }
  return "";
}

bool is_gone_for_good(const kube::Pod& pod) {
  const bool leaving = pod.meta.deleted || pod.phase == "Failed" || pod.phase == "Succeeded";
  return leaving && pod.has_ended();
}

ScrapeKind next_scrape(const ScrapeState& state) {
  const Due due = due_in(state);
  if (due.counts <= absl::ZeroDuration()) return ScrapeKind::kCounts;
  if (due.base_lines <= absl::ZeroDuration()) return ScrapeKind::kBaseLines;
  if (due.versions <= absl::ZeroDuration()) return ScrapeKind::kVersions;
  return ScrapeKind::kNone;
}

absl::Duration until_next_scrape(const ScrapeState& state) {
  const Due due = due_in(state);
  return std::max(std::min({due.counts, due.base_lines, due.versions}), absl::ZeroDuration());
}

GatewayScraper::GatewayScraper(const kube::Store<kube::Pod>& pods, net::HttpClient& http, MeasurementLedger& ledger,
                               base::Clock& clock, base::Loop& loop, Unconfirmed unconfirmed, OnCounts on_counts,
                               std::function<void()> on_reading)
    : pods_(pods),
      http_(http),
      ledger_(ledger),
      clock_(clock),
      loop_(loop),
      unconfirmed_(std::move(unconfirmed)),
      on_counts_(std::move(on_counts)),
      on_reading_(std::move(on_reading)) {}

void GatewayScraper::set_identity(const net::TlsIdentity& identity) {
  auto tls = std::make_shared<net::TlsOptions>();
  tls->ca_pem = identity.ca_pem;
  tls->certificate_pem = identity.certificate_pem;
  tls->private_key_pem = identity.private_key_pem;
  tls->server_uri_san = kGatewayIdentity;
  tls_ = std::move(tls);
  wake();
}

base::Task<void> GatewayScraper::run(base::Scope& scope) {
  while (!scope.cancelled()) {
    const absl::Duration idle = look(scope);
    co_await signal_.wait(clock_, idle, scope);
  }
}

std::map<std::string, GatewayReading> GatewayScraper::readings() const {
  std::map<std::string, GatewayReading> readings;
  for (const auto& [pod, target] : targets_) {
    if (target.reading.read_at || target.reading.unreachable_since) readings[pod] = target.reading;
  }
  return readings;
}

void GatewayScraper::forget_readings() {
  for (auto& [pod, target] : targets_) {
    target = Target{};
  }
}

absl::Duration GatewayScraper::look(base::Scope& scope) {
  forget_gone_pods();
  if (!tls_) return absl::InfiniteDuration();
  absl::Duration idle = absl::InfiniteDuration();
  const bool measuring = !ledger_.objects().empty();
  const std::set<std::string> unconfirmed = unconfirmed_();
  for (const auto& [key, pod] : pods_.list()) {
    if (pod->ip.empty() || is_gone_for_good(*pod)) continue;
    Target& target = targets_[key.name];
    if (target.in_flight) continue;  // its end wakes us
    // Another process: what the last one had applied says nothing about it.
    if (target.reading.read_at && target.reading.instance != container_id(*pod)) target = Target{};
    if (!unconfirmed.contains(key.name)) {
      target.unconfirmed_since.reset();
    } else if (!target.unconfirmed_since) {
      target.unconfirmed_since = clock_.uptime();
    }
    const ScrapeState state = state_of(key.name, target, measuring);
    if (const ScrapeKind kind = next_scrape(state); kind != ScrapeKind::kNone) {
      begin(key.name, target, kind, scope);
    } else {
      idle = std::min(idle, until_next_scrape(state));
    }
  }
  return idle;
}

ScrapeState GatewayScraper::state_of(const std::string& pod, const Target& target, bool measuring) const {
  const absl::Duration now = clock_.uptime();
  ScrapeState state;
  state.since_versions = now - target.asked_at;
  state.since_counts = now - target.asked_counts_at;
  state.measuring = measuring;
  state.base_line_wanted = measuring && ledger_.lacks_base_line(pod);
  if (target.unconfirmed_since) state.unconfirmed_for = now - *target.unconfirmed_since;
  return state;
}

void GatewayScraper::begin(const std::string& pod, Target& target, ScrapeKind kind, base::Scope& scope) {
  target.in_flight = true;
  target.asked_at = clock_.uptime();
  if (kind == ScrapeKind::kCounts) target.asked_counts_at = target.asked_at;
  loop_.spawn(scrape(pod, kind, scope));
}

void GatewayScraper::ended(const std::string& pod) {
  targets_[pod].in_flight = false;
  wake();
}

std::vector<std::string> GatewayScraper::objects_for(const std::string& pod, ScrapeKind kind) const {
  if (kind == ScrapeKind::kVersions) return no_objects();
  return kind == ScrapeKind::kCounts ? ledger_.objects() : ledger_.objects_without_base_line(pod);
}

void GatewayScraper::forget_gone_pods() {
  std::map<std::string, kube::Store<kube::Pod>::Pointer> present;
  for (const auto& [key, pod] : pods_.list()) present[key.name] = pod;
  std::erase_if(targets_,
                [&](const auto& target) { return !present.contains(target.first) && !target.second.in_flight; });
}

base::Task<void> GatewayScraper::scrape(std::string name, ScrapeKind kind, base::Scope& scope) {
  kube::Store<kube::Pod>::Pointer pod;
  for (const auto& [key, candidate] : pods_.list()) {
    if (key.name == name) pod = candidate;
  }
  if (!pod) {
    ended(name);
    co_return;
  }
  const bool counts = kind != ScrapeKind::kVersions;
  const std::vector<std::string> objects = objects_for(name, kind);
  const absl::Time begun = clock_.now();
  net::HttpRequest request = request_to(*pod, objects, counts);
  absl::StatusOr<net::HttpResponse> response = co_await http_.request(std::move(request), scope);
  ended(name);
  if (scope.cancelled()) co_return;
  if (!response.ok()) {
    failed(name, begun, std::string(base::view(response.status().message())));
  } else if (response->status != 200) {
    failed(name, begun, base::cat("answered ", response->status));
  } else {
    absl::StatusOr<metrics::GatewayScrape> scrape = metrics::parse(response->body, container_id(*pod), begun);
    if (scrape.ok()) {
      succeeded(name, begun, objects, counts, *scrape);
    } else {
      failed(name, begun, std::string(base::view(scrape.status().message())));
    }
  }
  on_reading_();
}

net::HttpRequest GatewayScraper::request_to(const kube::Pod& pod, const std::vector<std::string>& objects,
                                            bool counts) const {
  const bool ipv6 = pod.ip.find(':') != std::string::npos;
  net::HttpRequest request;
  request.url =
      base::cat("https://", ipv6 ? "[" : "", pod.ip, ipv6 ? "]" : "", ":", kPort, metrics::stats_path(objects, counts));
  request.timeout = kTimeout;
  request.connect_timeout = absl::Seconds(2);
  request.max_body_bytes = metrics::kMaxScrapeBytes;
  request.tls = tls_;
  return request;
}

void GatewayScraper::succeeded(const std::string& pod, absl::Time begun, const std::vector<std::string>& objects,
                               bool counts, const metrics::GatewayScrape& scrape) {
  GatewayReading& reading = targets_[pod].reading;
  if (reading.unreachable_since) base::log_info("gateway answers again", {{"pod", pod}});
  reading.read_at = begun;
  reading.applied = traffic::parse_applied_version(scrape.applied_version);
  reading.instance = scrape.instance;
  reading.unreachable_since.reset();
  reading.error.clear();
  if (!counts) return;
  ledger_.absorb(pod, objects, scrape);
  on_counts_(objects);
}

void GatewayScraper::failed(const std::string& pod, absl::Time begun, const std::string& why) {
  GatewayReading& reading = targets_[pod].reading;
  if (!reading.unreachable_since) {
    reading.unreachable_since = begun;
    base::log_warning("gateway statistics cannot be read", {{"pod", pod}, {"error", why}});
  }
  reading.error = why;
}

}  // namespace tidegate::operator_
