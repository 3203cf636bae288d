#include "operator/observers/gateway_scraper.h"

#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(500);
constexpr absl::Duration kCountsPeriod = absl::Seconds(5);
// Of many windows that open at about the same time, one request takes the base lines.
constexpr absl::Duration kBaseLinesTogether = absl::Milliseconds(100);
constexpr absl::Duration kUnconfirmedPeriod = absl::Seconds(1);
constexpr absl::Duration kIdlePeriod = absl::Seconds(30);
constexpr absl::Duration kTimeout = absl::Seconds(4);

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
  if (state.measuring && state.since_counts >= kCountsPeriod) return ScrapeKind::kCounts;
  if (state.base_line_wanted && state.since_versions >= kBaseLinesTogether) return ScrapeKind::kBaseLines;
  if (state.unconfirmed && state.since_versions >= kUnconfirmedPeriod) return ScrapeKind::kVersions;
  if (state.since_versions >= kIdlePeriod) return ScrapeKind::kVersions;
  return ScrapeKind::kNone;
}

GatewayScraper::GatewayScraper(const kube::Store<kube::Pod>& pods, net::HttpClient& http, MeasurementLedger& ledger,
                               base::Clock& clock, base::Loop& loop,
                               std::function<bool(const std::string&)> unconfirmed, OnCounts on_counts,
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
}

base::Task<void> GatewayScraper::run(base::Scope& scope) {
  while (!scope.cancelled()) {
    const bool soon = tick(scope);
    co_await signal_.wait(clock_, soon ? kBaseLinesTogether : kTick, scope);
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

bool GatewayScraper::tick(base::Scope& scope) {
  forget_gone_pods();
  if (!tls_) return false;
  bool soon = false;
  const bool measuring = !ledger_.objects().empty();
  for (const auto& [key, pod] : pods_.list()) {
    if (pod->ip.empty() || is_gone_for_good(*pod)) continue;
    Target& target = targets_[key.name];
    if (target.in_flight) continue;
    const absl::Duration now = clock_.uptime();
    // Another process: what the last one had applied says nothing about it.
    if (target.reading.read_at && target.reading.instance != container_id(*pod)) target = Target{};
    const bool base_line_wanted = measuring && ledger_.lacks_base_line(key.name);
    const ScrapeKind kind = next_scrape(
        {now - target.asked_at, now - target.asked_counts_at, measuring, base_line_wanted, unconfirmed_(key.name)});
    soon = soon || base_line_wanted;
    if (kind == ScrapeKind::kNone) continue;
    target.in_flight = true;
    target.asked_at = now;
    if (kind == ScrapeKind::kCounts) target.asked_counts_at = now;
    loop_.spawn(scrape(key.name, kind, scope));
  }
  return soon;
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
    targets_[name].in_flight = false;
    co_return;
  }
  const bool counts = kind != ScrapeKind::kVersions;
  const std::vector<std::string> objects = objects_for(name, kind);
  const absl::Time begun = clock_.now();
  net::HttpRequest request = request_to(*pod, objects, counts);
  absl::StatusOr<net::HttpResponse> response = co_await http_.request(std::move(request), scope);
  targets_[name].in_flight = false;
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
